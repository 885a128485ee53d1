//go:build !race

package preset

const raceEnabled = false
