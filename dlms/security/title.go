package security

import (
	"encoding/binary"
	"fmt"
)

// TitleText shows a system title with what can be read from it: the letters of
// the maker (FLAG), the serial number in decimal digits, and the title itself as
// hexadecimal digits, like "MMM 12345678 (4D4D4D0000BC614E)". It is only the
// latter where the first three octets are no upper-case letters, or the title
// has not TitleLength octets.
//
// The serial number is what the last four octets are as a number. Titles by
// IDIS, whose fourth octet is 100 to 103 (the type of the meter), have 28 bits
// of it and functions of the meter in the other four. There is no rule that
// all makers keep to: those who write it as decimal digits have it in the title.
func TitleText(title []byte) string {
	text := fmt.Sprintf("%X", title)
	if !NamesMaker(title) {
		return text
	}
	serial := binary.BigEndian.Uint32(title[TitleLength-4:])
	if kind := title[makerLength]; kind >= 100 && kind <= 103 {
		serial &= 1<<28 - 1
	}
	return fmt.Sprintf("%s %d (%s)", title[:makerLength], serial, text)
}

// NamesMaker reports whether octets are a system title that begins with the
// letters of a maker.
func NamesMaker(title []byte) bool {
	if len(title) != TitleLength {
		return false
	}
	for _, c := range title[:makerLength] {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// makerLength is how many letters a maker has.
const makerLength = 3
