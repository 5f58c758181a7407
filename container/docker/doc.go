// Package docker asks Docker and Podman about their containers, through the API
// of Docker that both serve on a unix socket.
//
// It only reads: no request but a GET, and of those only the few that it needs,
// leave the process, whatever asks for them. Everything that comes back is
// taken for untrusted. An answer is read a container at a time and no more of
// it kept than is used, up to limits, so that what a server sends beside that,
// also in a form that a newer or an older API has, does no harm.
//
// Podman's pods are not in Docker's API. Where the server is Podman, its own API
// on the same socket is asked for them.
package docker
