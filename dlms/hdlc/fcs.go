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
	fcsWords  = 16 // a block that fcsFold carries forward, in words of 64 bits
	fcsBlock  = fcsWords * 8
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
	if len(b) >= 2*fcsBlock {
		var folded [fcsBlock]byte
		b = fcsFold(&folded, crc, b)
		crc = fcsSum(0, folded[:])
	}
	return fcsSum(crc, b)
}

// fcsFold makes one block with the check sequence of many: of crc, and of all
// whole blocks of b. It returns what is left of b.
//
// The polynomial x^16 + x^12 + x^5 + 1, squared six times, is
// x^(16*64) + x^(12*64) + x^(5*64) + 1. It divides by the polynomial as well,
// so that a word may be added to those 4, 11 and 16 words after it and be
// dropped: the rest of the division is the same.
func fcsFold(block *[fcsBlock]byte, crc uint16, b []byte) []byte {
	var w [fcsWords]uint64
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	w[0] ^= uint64(crc)
	for b = b[fcsBlock:]; len(b) >= fcsBlock; b = b[fcsBlock:] {
		w[4], w[11], w[0] = w[4]^w[0], w[11]^w[0], w[0]^binary.LittleEndian.Uint64(b[0:])
		w[5], w[12], w[1] = w[5]^w[1], w[12]^w[1], w[1]^binary.LittleEndian.Uint64(b[8:])
		w[6], w[13], w[2] = w[6]^w[2], w[13]^w[2], w[2]^binary.LittleEndian.Uint64(b[16:])
		w[7], w[14], w[3] = w[7]^w[3], w[14]^w[3], w[3]^binary.LittleEndian.Uint64(b[24:])
		w[8], w[15], w[4] = w[8]^w[4], w[15]^w[4], w[4]^binary.LittleEndian.Uint64(b[32:])
		w[9], w[0], w[5] = w[9]^w[5], w[0]^w[5], w[5]^binary.LittleEndian.Uint64(b[40:])
		w[10], w[1], w[6] = w[10]^w[6], w[1]^w[6], w[6]^binary.LittleEndian.Uint64(b[48:])
		w[11], w[2], w[7] = w[11]^w[7], w[2]^w[7], w[7]^binary.LittleEndian.Uint64(b[56:])
		w[12], w[3], w[8] = w[12]^w[8], w[3]^w[8], w[8]^binary.LittleEndian.Uint64(b[64:])
		w[13], w[4], w[9] = w[13]^w[9], w[4]^w[9], w[9]^binary.LittleEndian.Uint64(b[72:])
		w[14], w[5], w[10] = w[14]^w[10], w[5]^w[10], w[10]^binary.LittleEndian.Uint64(b[80:])
		w[15], w[6], w[11] = w[15]^w[11], w[6]^w[11], w[11]^binary.LittleEndian.Uint64(b[88:])
		w[0], w[7], w[12] = w[0]^w[12], w[7]^w[12], w[12]^binary.LittleEndian.Uint64(b[96:])
		w[1], w[8], w[13] = w[1]^w[13], w[8]^w[13], w[13]^binary.LittleEndian.Uint64(b[104:])
		w[2], w[9], w[14] = w[2]^w[14], w[9]^w[14], w[14]^binary.LittleEndian.Uint64(b[112:])
		w[3], w[10], w[15] = w[3]^w[15], w[10]^w[15], w[15]^binary.LittleEndian.Uint64(b[120:])
	}
	for i := range w {
		binary.LittleEndian.PutUint64(block[8*i:], w[i])
	}
	return b
}

// fcsSum is fcsUpdate by tables.
func fcsSum(crc uint16, b []byte) uint16 {
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
