//go:build !race

package xdlms

const raceEnabled = false
