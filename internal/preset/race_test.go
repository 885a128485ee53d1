//go:build race

package preset

const raceEnabled = true
