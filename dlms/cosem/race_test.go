//go:build race

package cosem_test

const raceEnabled = true
