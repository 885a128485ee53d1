package axdr_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// walk visits every element of d and calls every method.
func walk(t *testing.T, d axdr.Data, depth int) (visited int) {
	require.LessOrEqual(t, depth, axdr.MaxDepth+1)
	_ = d.Tag()
	_, _ = d.Int64()
	_, _ = d.Uint64()
	_, _ = d.Float64()
	_, _ = d.Bool()
	_, _ = d.Octets()
	_, _, _ = d.BitString()
	_, _ = d.DateTime()
	_, _ = d.Date()
	_, _ = d.Time()
	require.LessOrEqual(t, d.Len(), len(d))
	n := 0
	for v := range d.All() {
		if e, ok := d.Element(n); n < 3 {
			require.True(t, ok)
			require.Equal(t, v, e)
		}
		visited += walk(t, v, depth+1)
		n++
	}
	require.LessOrEqual(t, n, d.Len())
	return visited + 1
}

// encode writes d again with the appenders.
func encode(t *testing.T, b []byte, d axdr.Data) []byte {
	switch d.Tag() {
	case axdr.TagArray, axdr.TagStructure:
		if d.Tag() == axdr.TagArray {
			b = axdr.AppendArray(b, d.Len())
		} else {
			b = axdr.AppendStructure(b, d.Len())
		}
		for v := range d.All() {
			b = encode(t, b, v)
		}
		return b
	case axdr.TagOctetString:
		c, ok := d.Octets()
		require.True(t, ok)
		return axdr.AppendOctetString(b, c)
	case axdr.TagVisibleString:
		c, ok := d.Octets()
		require.True(t, ok)
		return axdr.AppendVisibleString(b, string(c))
	case axdr.TagUTF8String:
		c, ok := d.Octets()
		require.True(t, ok)
		return axdr.AppendUTF8String(b, string(c))
	case axdr.TagBitString:
		c, bits, ok := d.BitString()
		require.True(t, ok)
		return axdr.AppendBitString(b, c, bits)
	default:
		return append(b, d...)
	}
}

func FuzzCut(f *testing.F) {
	for _, e := range elements {
		f.Add(octets(f, e.hex))
	}
	f.Add(profile()[:400])
	f.Add(everyType())
	f.Add(bytes.Repeat([]byte{1, 1}, 40))
	f.Add([]byte{1, 0x84, 0x7f, 0xff, 0xff, 0xff, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		// The methods must bear octets that nobody has checked.
		walk(t, axdr.Data(b), 0)
		require.LessOrEqual(t, len(axdr.Data(b).String()), 515)

		d, rest, err := axdr.Cut(b)
		if err != nil {
			var syntax *axdr.SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.True(t, syntax.Offset >= 0 && syntax.Offset <= len(b))
			require.Equal(t, b, rest)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return
			}
			// No octets mend it.
			_, _, err = axdr.Cut(append(bytes.Clone(b), make([]byte, 64)...))
			require.Error(t, err)
			require.NotErrorIs(t, err, io.ErrUnexpectedEOF)
			return
		}
		require.Equal(t, b, append(bytes.Clone(d), rest...))
		require.GreaterOrEqual(t, len(d), walk(t, d, 0), "every element takes an octet")
		for _, n := range []int{0, len(d) / 2, len(d) - 1} {
			_, _, err := axdr.Cut(d[:n])
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}

		clone := d.Clone()
		again, err := axdr.Parse(clone)
		require.NoError(t, err)
		require.Equal(t, d, again)

		written := encode(t, nil, d)
		require.LessOrEqual(t, len(written), len(d))
		again, err = axdr.Parse(written)
		require.NoError(t, err)
		require.Equal(t, written, encode(t, nil, again))
		require.Equal(t, walk(t, d, 0), walk(t, again, 0))
	})
}

// FuzzDecoder drives the cursor by a program of method calls: neither panics
// nor values after an error, and always within the octets.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte{0, 2, 3, 4}, everyType())
	f.Add([]byte{1, 0, 18, 17, 17, 17, 17}, profile()[:76])
	f.Add([]byte{19, 19}, []byte{1, 0x84, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, program, b []byte) {
		var d axdr.Decoder
		d.Reset(b)
		for _, op := range program[:min(len(program), 64)] {
			before, failed := len(d.Rest()), d.Err() != nil
			zero := decoderStep(&d, op)
			require.LessOrEqual(t, len(d.Rest()), before)
			if d.Err() != nil {
				require.Empty(t, d.Rest())
				require.True(t, zero || !failed, "op %d gave a value after an error", op)
				var syntax *axdr.SyntaxError
				require.ErrorAs(t, d.Err(), &syntax)
				require.LessOrEqual(t, syntax.Offset, len(b))
			} else {
				if rest := d.Rest(); len(rest) > 0 {
					require.Same(t, &b[len(b)-len(rest)], &rest[0])
				}
				require.LessOrEqual(t, d.Count(), len(b))
			}
		}
	})
}

// decoderStep calls one method and reports whether it returned the zero value.
func decoderStep(d *axdr.Decoder, op byte) (zero bool) {
	switch op % 20 {
	case 0:
		return !d.Structure(int(op)/20 - 1)
	case 1:
		return d.Array() == 0
	case 2:
		return d.Data() == nil
	case 3:
		d.Skip()
		return true
	case 4:
		return !d.Bool()
	case 5:
		return d.Integer() == 0
	case 6:
		return d.Long() == 0
	case 7:
		return d.DoubleLong() == 0
	case 8:
		return d.Long64() == 0
	case 9:
		return d.Unsigned() == 0
	case 10:
		return d.LongUnsigned() == 0
	case 11:
		return d.DoubleLongUnsigned() == 0
	case 12:
		return d.Long64Unsigned() == 0
	case 13:
		return d.Enum() == 0
	case 14:
		return d.Octets() == nil
	case 15:
		return d.Int64() == 0
	case 16, 17:
		return d.Float64() == 0
	case 18:
		return d.DateTime() == axdr.DateTime{}
	default:
		_, ok := d.Peek()
		return !ok
	}
}

func FuzzDateTime(f *testing.F) {
	f.Add(octets(f, "07EA 0A 19 07 021E00 00 8000 80"))
	f.Add(octets(f, "07EA 0C 1F FF 180000 00 FFC4 00"))
	f.Add(octets(f, "FFFF 03 FE 07 020000 00 8000 00"))
	f.Add(bytes.Repeat([]byte{0}, 12))
	f.Add(bytes.Repeat([]byte{0xff}, 12))
	loc := berlin(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		d, ok := axdr.ParseDateTime(b)
		require.Equal(t, len(b) == 12, ok)
		if !ok {
			return
		}
		require.Equal(t, b, d.Append(nil))
		require.NotEmpty(t, d.String())
		u, ok := d.Time(loc)
		if !ok {
			return
		}
		require.True(t, d.Complete())
		require.NotPanics(t, func() { _, _ = u.MarshalText() })
		// Written and read again, it is the same instant, if its offset can be written.
		if _, offset := u.Zone(); offset%60 != 0 || u.Year() > 9999 || u.Year() < 1 {
			return
		}
		v, ok := axdr.FromTime(u).Time(time.UTC)
		require.True(t, ok)
		require.True(t, u.Equal(v), "%v, %v", u, v)
	})
}
