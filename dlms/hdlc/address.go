package hdlc

import "fmt"

// Address is an HDLC address (Green Book, clause 8.4.2). On the wire each octet
// carries seven bits of it, and bit 0 of the last octet is set.
//
// The address of a client is one octet long. A server's is its upper address,
// which selects a logical device, and, in the forms of two and four octets, its
// lower address, which selects a physical device on the line.
type Address struct {
	Upper uint16 // logical device, or the address of the client
	Lower uint16 // physical device, 0 in the form of one octet
	Size  int    // octets on the wire: 1, 2 or 4; 0 is taken as 1
}

const (
	maxShortPart = 0x7F   // what an address part of one octet can hold
	maxLongPart  = 0x3FFF // what an address part of two octets can hold

	callingShort    = 0x7E // CALLING physical device
	callingLong     = 0x3FFE
	allStationShort = 0x7F
	allStationLong  = 0x3FFF
)

// ClientAddress is the address of a client: one octet, 0 to 127.
func ClientAddress(client uint16) Address {
	return Address{Upper: client, Size: 1}
}

// ServerAddress is the address of a logical device in a physical device. The
// size is 1, 2 or 4 octets; 0 chooses the shortest one that is usual: 1 without
// a physical device (0), 2 where both parts fit seven bits, else 4. It fails if
// the parts do not fit the size.
func ServerAddress(logical, physical uint16, size int) (Address, error) {
	if size == 0 {
		switch {
		case physical == 0 && logical <= maxShortPart:
			size = 1
		case physical <= maxShortPart && logical <= maxShortPart:
			size = 2
		default:
			size = 4
		}
	}
	a := Address{Upper: logical, Lower: physical, Size: size}
	return a, a.Validate()
}

// Validate reports an address that cannot be encoded: a size other than 1, 2
// or 4, or a part that does not fit it.
func (a Address) Validate() error {
	limit := uint16(maxShortPart)
	switch a.Size {
	case 0, 1:
		if a.Lower != 0 {
			return fmt.Errorf("HDLC address of 1 octet has no room for physical address %d", a.Lower)
		}
	case 2:
	case 4:
		limit = maxLongPart
	default:
		return fmt.Errorf("HDLC address of %d octets: only 1, 2 and 4 are defined", a.Size)
	}
	if a.Upper > limit {
		return fmt.Errorf("address %d does not fit an HDLC address of %d octets (0 to %d)", a.Upper, a.size(), limit)
	}
	if a.Lower > limit {
		return fmt.Errorf("physical address %d does not fit an HDLC address of %d octets (0 to %d)", a.Lower, a.size(), limit)
	}
	return nil
}

func (a Address) size() int {
	if a.Size == 0 {
		return 1
	}
	return a.Size
}

// Append appends the address as it is on the wire. Parts that do not fit the
// size lose their high bits; Validate reports them.
func (a Address) Append(b []byte) []byte {
	switch a.Size {
	case 2:
		return append(b, byte(a.Upper<<1), byte(a.Lower<<1)|1)
	case 4:
		return append(b,
			byte(a.Upper>>7)<<1, byte(a.Upper&maxShortPart)<<1,
			byte(a.Lower>>7)<<1, byte(a.Lower&maxShortPart)<<1|1)
	default:
		return append(b, byte(a.Upper<<1)|1)
	}
}

// Same reports whether both addresses name the same station: their values are
// compared, not the octets, since meters may answer in a longer form than they
// were asked in.
func (a Address) Same(o Address) bool {
	return a.Upper == o.Upper && a.Lower == o.Lower
}

// answers reports whether a station asked as o may answer as a: the same
// values, or any physical device where o names the one that is calling or all
// of them, for a station never sends from such an address, or where o, being
// of one octet, names none.
func (a Address) answers(o Address) bool {
	if a.Same(o) {
		return true
	}
	wild := o.size() == 1 || o.Size == 2 && o.Lower >= callingShort || o.Size == 4 && o.Lower >= callingLong
	return wild && a.Upper == o.Upper
}

// String is the value for people: 16, or 1/17 for logical device 1 in physical
// device 17.
func (a Address) String() string {
	if a.size() == 1 {
		return fmt.Sprintf("%d", a.Upper)
	}
	return fmt.Sprintf("%d/%d", a.Upper, a.Lower)
}

// cutAddress takes an address from the front of b. It returns the number of
// octets: 0 if b is too short to tell, -1 if the length is not a defined one.
func cutAddress(b []byte) (Address, int) {
	for i, c := range b {
		if c&1 == 0 {
			if i == 3 {
				return Address{}, -1
			}
			continue
		}
		switch i {
		case 0:
			return Address{Upper: uint16(b[0] >> 1), Size: 1}, 1
		case 1:
			return Address{Upper: uint16(b[0] >> 1), Lower: uint16(b[1] >> 1), Size: 2}, 2
		case 3:
			return Address{
				Upper: uint16(b[0]>>1)<<7 | uint16(b[1]>>1),
				Lower: uint16(b[2]>>1)<<7 | uint16(b[3]>>1),
				Size:  4,
			}, 4
		default:
			return Address{}, -1
		}
	}
	return Address{}, 0
}
