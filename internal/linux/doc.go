// Package linux is the few calls to the kernel that golang.org/x/sys/unix
// lacks, or makes only with an allocation.
package linux
