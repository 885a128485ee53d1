//go:build !race

package dlms_test

const raceEnabled = false
