package hdlc

import "encoding/binary"

const (
	fcsPolynomial = 0x8408 // 1021h, bits reversed
	fcsInit       = 0xFFFF
	// fcsGood is the register after a check sequence that fits what is before
	// it. It is therefore also the register behind a correct header, where the
	// check of the information goes on.
	fcsGood = 0xF0B8

	fcsSlices = 16
)

// fcsTables advance the register by 16 octets in one step: table i is what an
// octet contributes that is followed by i others. They are only ever read.
var fcsTables = makeFCSTables()

func makeFCSTables() *[fcsSlices][256]uint16 {
	var t [fcsSlices][256]uint16
	for i := range t[0] {
		crc := uint16(i)
		for range 8 {
			crc = crc>>1 ^ crc&1*fcsPolynomial
		}
		t[0][i] = crc
	}
	for i := range t[0] {
		for s := 1; s < fcsSlices; s++ {
			crc := t[s-1][i]
			t[s][i] = crc>>8 ^ t[0][byte(crc)]
		}
	}
	return &t
}

// FCS16 is the frame check sequence of b (ISO/IEC 13239, CRC-16/X-25). On the
// wire its low octet comes first.
func FCS16(b []byte) uint16 {
	return ^fcsUpdate(fcsInit, b)
}

// fcsUpdate carries the register of the check over b.
func fcsUpdate(crc uint16, b []byte) uint16 {
	t := fcsTables
	for len(b) >= fcsSlices {
		lo := binary.LittleEndian.Uint64(b)
		hi := binary.LittleEndian.Uint64(b[8:])
		// Only the first two octets depend on the register. The others are
		// summed up apart from it, which the processor does ahead of time.
		x := t[13][byte(lo>>16)] ^ t[12][byte(lo>>24)] ^ t[11][byte(lo>>32)] ^ t[10][byte(lo>>40)]
		y := t[9][byte(lo>>48)] ^ t[8][byte(lo>>56)] ^ t[7][byte(hi)] ^ t[6][byte(hi>>8)]
		z := t[5][byte(hi>>16)] ^ t[4][byte(hi>>24)] ^ t[3][byte(hi>>32)] ^ t[2][byte(hi>>40)]
		x ^= t[1][byte(hi>>48)] ^ t[0][byte(hi>>56)]
		crc ^= uint16(lo)
		crc = (x ^ y ^ z) ^ (t[15][byte(crc)] ^ t[14][byte(crc>>8)])
		b = b[fcsSlices:]
	}
	for _, c := range b {
		crc = crc>>8 ^ t[0][byte(crc)^c]
	}
	return crc
}
