//go:build !unix

package state

// locked is not known here.
func locked(string) bool { return false }
