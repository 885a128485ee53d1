package dlms

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// buffers are the forms of a profile's buffer, and the rows in each.
var buffers = []struct {
	name, buffer string
	rows         []string
	whole        bool // the rows can be told only from an answer in one piece
}{
	{"rows", "0102 0202 0600000005 00 0201 1101", []string{"0202 0600000005 00", "0201 1101"}, false},
	{"rows that are arrays", "0102 0102 0600000005 00 0101 1101", []string{"0102 0600000005 00", "0101 1101"}, false},
	{"rows of one value each", "0102 1101 1102", []string{"1101", "1102"}, false},
	{"one row in no array", "0203 0600000005 0902AABB 0101 1101", []string{"0203 0600000005 0902AABB 0101 1101"}, false},
	{"a compact-array", "13 0202 06 12 0C 0000000A 0001 0000000B 0002", []string{"0202 060000000A 120001", "0202 060000000B 120002"}, false},
	{"a compact-array of strings", "13 0203 06 09 0A 11 00000005 02AABB 0141 00000006 00 024242", []string{"0203 0600000005 0902AABB 0A0141", "0203 0600000006 0900 0A024242"}, false},
	{"a compact-array with a long length", "13 11 84 00000003 010203", []string{"1101", "1102", "1103"}, false},
	{"a compact-array with nulls", "13 0203 00 11 FF 02 0102", []string{"0203 00 1101 FF", "0203 00 1102 FF"}, false},
	{"a compact-array of arrays", "13 01 0002 12 08 0001 0002 0003 0004", []string{"0102 120001 120002", "0102 120003 120004"}, false},
	{"arrays in a compact-array", "13 0202 11 01 0002 12 0A 01 0001 0002 02 0003 0004", []string{"0202 1101 0102 120001 120002", "0202 1102 0102 120003 120004"}, false},
	{"arrays that repeat their count", "13 0202 11 01 0002 12 0C 01 02 0001 0002 02 02 0003 0004", []string{"0202 1101 0102 120001 120002", "0202 1102 0102 120003 120004"}, false},
	{"arrays that repeat their count, with strings", "13 0202 09 01 0002 11 0A 01AA 02 0506 01BB 02 0708", []string{"0202 0901AA 0102 1105 1106", "0202 0901BB 0102 1107 1108"}, true},
	{"arrays that repeat their count, which cannot be read without", "13 0202 04 01 0002 09 08 00 02 81 01 AA 81 01 BB", []string{"0202 0400 0102 098101AA 098101BB"}, false},
	{"a compact-array without rows", "13 0202 06 12 00", []string{}, false},
	{"an array without rows", "0100", []string{}, false},
	{"null-data", "00", []string{}, false},
}

// rowsOf gives a buffer in pieces to a cutter.
func rowsOf(buffer []byte, size, limit int) (rows []string, err error) {
	r := cutterFor(limit, func(d axdr.Data) error {
		rows = append(rows, fmt.Sprintf("%X", []byte(d)))
		return nil
	})
	for {
		n := min(size, len(buffer))
		if err = r.take(buffer[:n], n == len(buffer)); err != nil || n == len(buffer) {
			return rows, err
		}
		buffer = buffer[n:]
	}
}

func cutterFor(limit int, row func(axdr.Data) error) *rowCutter {
	return &rowCutter{c: &Conn{cfg: ConnConfig{MaxDepth: axdr.MaxDepth}}, op: operation{name: opGet, attribute: register(1, 0)}, limit: limit, row: row}
}

func TestFormsOfBuffers(t *testing.T) {
	for _, tt := range buffers {
		t.Run(tt.name, func(t *testing.T) {
			b := mustHex(tt.buffer)
			want := make([]string, 0, len(tt.rows))
			for _, row := range tt.rows {
				want = append(want, fmt.Sprintf("%X", mustHex(row)))
			}
			for size := len(b); size > 0; size-- {
				if tt.whole && size < len(b) {
					break
				}
				rows, err := rowsOf(b, size, 1000)
				require.NoError(t, err, "%d octets each", size)
				require.Equal(t, want, append([]string{}, rows...), "%d octets each", size)
			}
			for n := range b {
				for _, size := range []int{1, 3, 100} {
					rows, err := rowsOf(b[:n], size, 1000)
					var protocol *ProtocolError
					require.ErrorAs(t, err, &protocol, "%d octets", n)
					if tt.whole {
						continue
					}
					require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets in %d each", n, size)
					require.Equal(t, want[:len(rows)], append([]string{}, rows...), "rows before the end are good")
				}
			}
			_, err := rowsOf(append(bytes.Clone(b), 0), 1000, 1000)
			require.ErrorContains(t, err, "1 octet behind the last row")
		})
	}
}

func TestFormsOfBuffersRefused(t *testing.T) {
	for _, c := range []struct {
		buffer, want string
		rows         int
	}{
		{"0184 00989680 1101", "10000000 rows announced, 1 came", 1},
		{"0184 7FFFFFFF", "2147483647 rows announced, 0 came", 0},
		{"0284 00989680 00", "1 row announced, the answer ends within number 1", 0},
		{"0285", "row 1", 0},
		{"1384", "expected", 0},
		{"13 0201 EE 01 00", "number of rows: data octet 2: type unknown(0xee) in a type description", 0},
		{"13 11 85 01", "number of rows: data octet 0: length of 5 octets", 0},
		{"13 11 84 00989680 05", "10000000 octets of rows announced, 1 octet came, the answer ends within number 2", 1},
		{"13 00 01 00", "row 1 of a compact-array: data octet 0: a compact-array whose elements take no octets", 0},
		{"13 0202 00 FF 84 7FFFFFFF 00", "row 1 of a compact-array: data octet 0: a compact-array whose elements take no octets", 0},
		{"13 0202 11 01 0300 00 02 00 01", "row 1 of a compact-array: data octet 2: a compact-array whose elements take no octets", 0},
		{"13 12 05 0001 0002 03", "row 3 of a compact-array: data octet 0: long-unsigned is cut short", 2},
		{"13 0202 11 09 06 05 00 06 05 AA BB", "row 2 of a compact-array: data octet 1: octet-string is cut short", 1},
		{"13 0A 03 85 00 00", "row 1 of a compact-array: data octet 0: length of 5 octets", 0},
		{"13 01 FFFF 01 FFFF 11 84 7FFFFFFF 00 01 02", "2147483647 octets of rows announced, 3 octets came, the answer ends within number 2", 1},
		{"13 0202 11 01 FFFF 11 84 7FFFFFFF 00 84 7FFFFFFF 02", "row 1 of a compact-array: data octet 6: a compact-array that expands to more than the largest APDU allowed", 0},
	} {
		for _, size := range []int{1, 2, 5, 1000} {
			rows, err := rowsOf(mustHex(c.buffer), size, 1000)
			var protocol *ProtocolError
			require.ErrorAs(t, err, &protocol)
			if c.buffer == "1384" {
				require.ErrorContains(t, err, "type unknown(0x84)")
				continue
			}
			require.ErrorContains(t, err, c.want, "%s, %d octets each", c.buffer, size)
			require.Len(t, rows, c.rows, c.buffer)
		}
	}
	for _, c := range []struct {
		name, head, want string
		more             []byte
	}{
		{"a description without end", "13", "a type description of more than 512 octets", append([]byte{0x02, 0x7F}, make([]byte, 120)...)},
		{"a string without end", "13 0202 11 09 84 7FFFFFFF 01 84 7FFFFFFF", "row 1 has more than 1000 octets", make([]byte, 100)},
		{"a structure without end", "02 84 7FFFFFFF", "row 1 has more than 1000 octets", make([]byte, 100)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := cutterFor(1000, func(axdr.Data) error { t.Error("a row"); return nil })
			err := r.take(mustHex(c.head), false)
			for n := 0; err == nil && n < 100; n++ {
				err = r.take(c.more, false)
			}
			require.ErrorContains(t, err, c.want)
			require.Less(t, cap(r.held), 4000)
		})
	}
}

// The row written out is limited, not only what comes of it.
func TestCompactRowsAreLimited(t *testing.T) {
	nulls := append(append([]byte{0x13, 0x02, 0x7F}, make([]byte, 126)...), 0x11, 2, 1, 2)
	rows, err := rowsOf(nulls, 1000, 130)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	_, err = rowsOf(nulls, 1000, 129)
	require.ErrorContains(t, err, "row 1 of a compact-array: data octet 0: a compact-array that expands to more than the largest APDU allowed")
	deep := append(bytes.Repeat([]byte{2, 1}, 20), 0x11, 1, 5)
	r := cutterFor(1000, func(axdr.Data) error { return nil })
	r.c.cfg.MaxDepth = 8
	require.ErrorContains(t, r.take(append([]byte{0x13}, deep...), true), "arrays and structures nested more than 8 deep")
}

// compactProfile is a compact-array of n rows of three columns.
func compactProfile(n int) []byte {
	var contents []byte
	for i := range n {
		contents = append(contents, 0, 0, byte(i>>8), byte(i), 12)
		contents = append(contents, bytes.Repeat([]byte{byte(i)}, 12)...)
		contents = append(contents, 0x12, 0x34)
	}
	return append(axdr.AppendLength([]byte{0x13, 2, 3, 6, 9, 0x12}, len(contents)), contents...)
}

func TestGetRowsOfACompactArray(t *testing.T) {
	const n = 500
	raw := compactProfile(n)
	d, err := axdr.Parse(raw)
	require.NoError(t, err)
	want, err := axdr.Expand(nil, d, 1<<20)
	require.NoError(t, err)
	for _, size := range []int{1, 7, 64, 1000, len(raw)} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := awkward(t, wrapperConfig, blocksOf(raw, size, 1))
				joined := axdr.AppendArray(nil, n)
				require.NoError(t, a.GetRows(context.Background(), register(1, 0), nil, func(row axdr.Data) error {
					joined = append(joined, row...)
					return nil
				}))
				require.Equal(t, []byte(want), joined)
				require.LessOrEqual(t, cap(a.joined), 4*(size+64), "one row and one block are held, not the profile")
			})
		})
	}
	t.Run("at once", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			a := awkward(t, wrapperConfig, func(q xdlms.GetRequest) []byte { return xdlms.AppendGetResponseNormal(nil, q.InvokeID, raw) })
			rows := 0
			require.NoError(t, a.GetRows(context.Background(), register(1, 0), nil, func(axdr.Data) error { rows++; return nil }))
			require.Equal(t, n, rows)
		})
	})
}

func TestReadRowsOfACompactArray(t *testing.T) {
	for name, answers := range map[string][]string{
		"at once":         {"0C01 00 13 0202 11 12 06 01 0002 03 0004"},
		"in blocks":       {"0C01 02 00 0001 05 0100 13 0202", "0C01 02 00 0002 05 11 12 06 01 00", "0C01 02 01 0003 04 02 03 0004"},
		"without a count": {"0C01 02 00 0001 05 00 13 02 02 11", "0C01 02 01 0002 08 12 06 01 0002 03 0004"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sent, rows []string
				a := shortNamed(t, ShortNameConformance, &sent, answers...)
				require.NoError(t, a.GetRows(context.Background(), profileOfTests, nil, func(row axdr.Data) error {
					rows = append(rows, fmt.Sprintf("%X", []byte(row)))
					return nil
				}))
				require.Equal(t, []string{"02021101120002", "02021103120004"}, rows)
			})
		})
	}
}

// FuzzRowCutter cuts an answer in one piece, and in pieces.
func FuzzRowCutter(f *testing.F) {
	for _, b := range buffers {
		f.Add(mustHex(b.buffer), uint8(3))
	}
	f.Add(mustHex("13 01 FFFF 01 FFFF 11 84 7FFFFFFF 00 01 02"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, size uint8) {
		const limit = 2048
		rows, err := rowsOf(b, len(b)+1, limit)
		for _, row := range rows {
			d, err := axdr.Parse(mustHex(row))
			require.NoError(t, err)
			require.True(t, len(d) <= limit || b[0] != byte(axdr.TagCompactArray))
		}
		if err != nil {
			var protocol *ProtocolError
			require.ErrorAs(t, err, &protocol)
		} else if whole, err := axdr.Parse(b); err == nil && len(b) > 0 && (b[0] == byte(axdr.TagArray) || b[0] == byte(axdr.TagCompactArray)) {
			if expanded, err := axdr.Expand(nil, whole, limit); err == nil && b[0] == byte(axdr.TagCompactArray) {
				whole = expanded
			}
			if whole.Tag() == axdr.TagArray {
				i := 0
				for d := range whole.All() {
					require.Equal(t, fmt.Sprintf("%X", []byte(d)), rows[i])
					i++
				}
				require.Len(t, rows, i)
			}
		}
		elements, _, descriptionErr := axdr.CutTypeDescription(b[min(1, len(b)):])
		if len(b) > 0 && b[0] == byte(axdr.TagCompactArray) && descriptionErr == nil && elements.HasArray() {
			return // the count may show only in the whole
		}
		pieces, piecesErr := rowsOf(b, int(size)+1, limit)
		if err == nil && piecesErr == nil {
			require.Equal(t, rows, pieces)
		}
		for i := range min(len(rows), len(pieces)) {
			require.Equal(t, rows[i], pieces[i])
		}
		switch {
		case err != nil:
			require.Error(t, piecesErr)
		case piecesErr != nil:
			require.ErrorContains(t, piecesErr, "octets") // of a row: only then are they counted
		}
	})
}
