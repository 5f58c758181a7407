//go:build race

package record

// raceEnabled says that the race detector is on, which makes all some ten times
// as slow.
const raceEnabled = true
