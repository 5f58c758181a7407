//go:build race

package lineage

// raceEnabled says that the race detector is on, under which sync.Pool drops
// at random what it is given.
const raceEnabled = true
