//go:build !unix

package serial

func checkName(string) error { return nil }

func gone(error) bool { return false }
