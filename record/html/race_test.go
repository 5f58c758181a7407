//go:build race

package html_test

// raced says that the race detector is on.
const raced = true
