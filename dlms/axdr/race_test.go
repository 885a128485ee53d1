//go:build race

package axdr_test

const raceEnabled = true
