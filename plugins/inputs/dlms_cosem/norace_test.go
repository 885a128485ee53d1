//go:build !race

package dlms_cosem

const raceEnabled = false
