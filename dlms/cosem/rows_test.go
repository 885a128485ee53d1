package cosem_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

const quarter = 15 * time.Minute

// joined is cells as the structure they make, in hexadecimal.
func joined(cells []axdr.Data) string {
	b := axdr.AppendStructure(nil, len(cells))
	for _, c := range cells {
		b = append(b, c...)
	}
	return fmt.Sprintf("%X", b)
}

type rowOfTests struct{ row, want, err string }

// derived stands in the place of an error where the time is a computed one.
const derived = "derived"

var profilesOfTests = []struct {
	name           string
	columns, clock int
	period         time.Duration
	rows           []rowOfTests
}{
	{"nothing left out", 2, 0, quarter, []rowOfTests{
		{"0202 090C07EA0B1802080000 00 FFC4 00 0600000005", "0202 090C07EA0B1802080000 00 FFC4 00 0600000005", ""},
		{"0202 090C07EA0B1802081100 00 FFC4 00 0600000006", "0202 090C07EA0B1802081100 00 FFC4 00 0600000006", ""},
	}},
	{"values repeat", 3, -1, quarter, []rowOfTests{
		{"0203 00 1105 0901AA", "0203 00 1105 0901AA", ""},
		{"0203 00 00 00", "0203 00 1105 0901AA", ""},
		{"0203 1107 00 0902BBCC", "0203 1107 1105 0902BBCC", ""},
		{"0203 00 00 00", "0203 1107 1105 0902BBCC", ""},
	}},
	{"an octet-string clock, over the end of a day, month and year", 2, 0, quarter, []rowOfTests{
		{"0202 090C07EA0C1F04172D00 00 FFC4 80 1101", "0202 090C07EA0C1F04172D00 00 FFC4 80 1101", ""},
		{"0202 00 1102", "0202 090C07EB010105000000 00 FFC4 80 1102", derived},
		{"0202 00 00", "0202 090C07EB010105000F00 00 FFC4 80 1102", derived},
		{"0202 090C07EB010105003200 00 FFC4 00 00", "0202 090C07EB010105003200 00 FFC4 00 1102", ""},
	}},
	{"a date-time clock, a leap day, no day of the week, no seconds", 2, 1, 24 * time.Hour, []rowOfTests{
		{"0202 1101 19 07E8021CFF0000FF FF 8000 FF", "0202 1101 19 07E8021CFF0000FF FF 8000 FF", ""},
		{"0202 1102 00", "0202 1102 19 07E8021DFF0000FF FF 8000 FF", derived},
		{"0202 1103 00", "0202 1103 19 07E80301FF0000FF FF 8000 FF", derived},
	}},
	{"hour 24, seconds wanted", 1, 0, 30 * time.Second, []rowOfTests{
		{"0201 090C07EA0B18021800FF 00 8000 00", "0201 090C07EA0B18021800FF 00 8000 00", ""},
		{"0201 00", "0201 090C07EA0B190300001E 00 8000 00", derived},
	}},
	{"a length in more octets than necessary", 1, 0, time.Minute, []rowOfTests{
		{"0201 09810C07EA0B1802080000 00 FFC4 00", "0201 09810C07EA0B1802080000 00 FFC4 00", ""},
		{"0201 00", "0201 09810C07EA0B1802080100 00 FFC4 00", derived},
	}},
	{"a unix clock, and its end", 2, 0, quarter, []rowOfTests{
		{"0202 06FFFFF900 1101", "0202 06FFFFF900 1101", ""},
		{"0202 00 1101", "0202 06FFFFFC84 1101", derived},
	}},
	{"the end of a unix clock", 1, 0, quarter, []rowOfTests{
		{"0201 06FFFFFF00", "0201 06FFFFFF00", ""},
		{"0201 00", "0201 00", ""},
		{"0201 00", "0201 00", ""},
	}},
	{"a unix clock with deltas", 1, 0, quarter, []rowOfTests{
		{"0201 0600000400", "0201 0600000400", ""},
		{"0201 200384", "0201 0600000784", ""},
		{"0201 00", "0201 0600000B08", derived},
	}},
	{"newest first", 1, 0, -time.Hour, []rowOfTests{
		{"0201 090C07EA030107000000 00 FFC4 00", "0201 090C07EA030107000000 00 FFC4 00", ""},
		{"0201 00", "0201 090C07EA021C06170000 00 FFC4 00", derived},
	}},
	{"no period", 2, 0, 0, []rowOfTests{
		{"0202 0600000400 1101", "0202 0600000400 1101", ""},
		{"0202 00 00", "0202 00 1101", ""},
	}},
	{"no earlier time", 2, 0, quarter, []rowOfTests{
		{"0202 00 1101", "0202 00 1101", ""},
		{"0202 090CFFFFFFFFFF08000000 8000 00 1101", "0202 090CFFFFFFFFFF08000000 8000 00 1101", ""},
		{"0202 00 1101", "0202 00 1101", ""},
		{"0202 09020102 1101", "0202 09020102 1101", ""},
		{"0202 00 1101", "0202 00 1101", ""},
	}},
	{"deltas of all types", 6, -1, 0, []rowOfTests{
		{"0206 0600000100 05FFFFFF00 1080FF 150000000000000001 147FFFFFFFFFFFFFF0 1105", "0206 0600000100 05FFFFFF00 1080FF 150000000000000001 147FFFFFFFFFFFFFF0 1105", ""},
		{"0206 1CFF 1D0101 1E00000001 1F05 200006 2100000007", "0206 06000000FF 0500000001 108100 150000000000000006 147FFFFFFFFFFFFFF6 110C", ""},
		{"0206 00 00 00 1CFA 1F09 1CF4", "0206 06000000FF 0500000001 108100 150000000000000000 147FFFFFFFFFFFFFFF 1100", ""},
		{"0206 00 00 00 1CFF 00 00", "", "profile row, column 4: delta-integer -1 on long64-unsigned 0: the sum does not fit the type"},
		{"0206 00 00 00 00 1F01 00", "", "profile row, column 5: delta-unsigned +1 on long64 9223372036854775807: the sum does not fit the type"},
		{"0206 00 00 00 00 00 1DFFFF", "", "profile row, column 6: delta-long -1 on unsigned 0: the sum does not fit the type"},
		{"0206 1CFF 1F01 1F02 00 00 1FFF", "0206 06000000FE 0500000002 108102 150000000000000000 147FFFFFFFFFFFFFFF 11FF", ""},
	}},
	{"deltas behind nulls", 1, -1, 0, []rowOfTests{
		{"0201 1F01", "", "profile row, column 1: delta-unsigned +1, but no row before has a value"},
		{"0201 00", "0201 00", ""},
		{"0201 1F01", "", "profile row, column 1: delta-unsigned +1, but no row before has a value"},
		{"0201 12FFFE", "0201 12FFFE", ""},
		{"0201 00", "0201 12FFFE", ""},
		{"0201 1F01", "0201 12FFFF", ""},
		{"0201 1F01", "", "profile row, column 1: delta-unsigned +1 on long-unsigned 65535: the sum does not fit the type"},
		{"0201 0901AA", "0201 0901AA", ""},
		{"0201 1F01", "", "profile row, column 1: delta-unsigned +1 on octet-string, want an integer"},
	}},
	{"another number of elements", 2, 0, quarter, []rowOfTests{
		{"0202 0600000400 1101", "0202 0600000400 1101", ""},
		{"0203 00 1102 1103", "", "profile row: got structure of 3 elements, want 2 (one for each column)"},
		{"0101 1102", "", "profile row: got array of 1 elements, want 2 (one for each column)"},
		{"0200", "", "profile row: got structure of 0 elements, want 2 (one for each column)"},
		{"0184 7FFFFFFF 00", "", "profile row: got array of 0 elements, want 2 (one for each column)"},
		{"1105", "", "profile row: got unsigned, want a structure of 2 elements"},
		{"0202 11", "", "profile row: got structure of 0 elements, want 2 (one for each column)"},
		{"0202 1105 05", "", "profile row: got 1 of 2 elements, the octets end"},
		{"", "", "profile row: no octets"},
		{"0102 00 00", "0202 0600000784 1101", derived},
	}},
	{"the columns of the first row", 0, -1, 0, []rowOfTests{
		{"0200", "", "profile row: got structure of 0 elements, want at least one"},
		{"0102 1101 1102", "0202 1101 1102", ""},
		{"0101 1101", "", "profile row: got array of 1 elements, want 2 (one for each column)"},
	}},
	{"one column, without structures", 1, -1, 0, []rowOfTests{
		{"0600000400", "0201 0600000400", ""},
		{"1CFF", "0201 06000003FF", ""},
		{"00", "0201 06000003FF", ""},
	}},
	{"cells with elements", 2, -1, 0, []rowOfTests{
		{"0202 0202 1101 00 0100", "0202 0202 1101 00 0100", ""},
		{"0202 00 0202 00 1F01", "0202 0202 1101 00 0202 00 1F01", ""},
	}},
}

func TestRows(t *testing.T) {
	for _, tt := range profilesOfTests {
		t.Run(tt.name, func(t *testing.T) {
			var r cosem.Rows
			for range 2 { // what Reset keeps is room alone
				r.Reset(tt.columns, tt.clock, tt.period)
				for i, x := range tt.rows {
					cells, err := r.Cut(octets(t, x.row))
					if x.want == "" {
						var decode *cosem.DecodeError
						require.ErrorAs(t, err, &decode)
						require.EqualError(t, err, x.err)
						require.Nil(t, cells)
						require.False(t, r.Derived())
						continue
					}
					require.NoError(t, err, "row %d", i)
					require.Equal(t, fmt.Sprintf("%X", octets(t, x.want)), joined(cells), "row %d", i)
					require.Equal(t, x.err == derived, r.Derived(), "row %d", i)
				}
			}
		})
	}
}

func TestRowsZeroValue(t *testing.T) {
	var r cosem.Rows
	_, err := r.Cut(octets(t, "0202 0600000400 1101"))
	require.NoError(t, err)
	cells, err := r.Cut(octets(t, "0202 00 1102"))
	require.NoError(t, err)
	require.Equal(t, "020206000004001102", joined(cells))
	require.False(t, r.Derived())
}

// A row that has shared its octets with a buffer must not change with it.
func TestRowsShareNothing(t *testing.T) {
	var r cosem.Rows
	row := octets(t, "0202 0600000400 0902AABB")
	cells, err := r.Cut(row)
	require.NoError(t, err)
	clear(row)
	require.Equal(t, "020206000004000902AABB", joined(cells))
	cells[1] = append(cells[1], 1) // a cell ends where the next begins
	cells, err = r.Cut(octets(t, "0202 00 00"))
	require.NoError(t, err)
	require.Equal(t, "020206000004000902AABB", joined(cells))
}

// Each row states one long value and repeats those of all others.
func TestRowsBoundWhatIsRepeated(t *testing.T) {
	const columns = 64
	var r cosem.Rows
	r.Reset(columns, -1, 0)
	long := make([]byte, 64<<10)
	var err error
	for i := 0; i < columns && err == nil; i++ {
		b := axdr.AppendStructure(nil, columns)
		for j := range columns {
			if j == i {
				b = axdr.AppendOctetString(b, long)
			} else {
				b = axdr.AppendNull(b)
			}
		}
		_, err = r.Cut(b)
	}
	require.ErrorContains(t, err, "repeats more than 1048576 octets of the rows before")
}

func TestRowsDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, rows := range map[string][]string{
		"plain":            {"0203 090C07EA0B1802080000 00 FFC4 00 0600000005 0902AABB", "0203 090C07EA0B1802081100 00 FFC4 00 0600000005 0902AABB"},
		"nulls and deltas": {"0203 090C07EA0B1802080000 00 FFC4 00 0600000005 0902AABB", "0203 00 1F05 00", "0203 00 1CFF 00"},
	} {
		var list [][]byte
		for _, s := range rows {
			list = append(list, octets(t, s))
		}
		var r cosem.Rows
		r.Reset(3, 0, quarter)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			for _, row := range list {
				if cells, err := r.Cut(row); err != nil || len(cells) != 3 {
					t.Error(cells, err)
				}
			}
		}), name)
	}
}

func FuzzRows(f *testing.F) {
	f.Add(uint8(2), int8(0), int64(900), octets(f, "0202 0600000400 1101 0202 00 1F01 0202 2000FF 00"))
	f.Add(uint8(3), int8(0), int64(86400), octets(f, "0203 090C07EA0B1802080000 00 FFC4 00 0600000005 0902AABB 0203 00 00 00"))
	f.Add(uint8(0), int8(-1), int64(0), octets(f, "0102 15FFFFFFFFFFFFFFFF 0202 1101 00 0102 1CFF 1F01"))
	f.Add(uint8(1), int8(0), int64(-1), octets(f, "19 00010101FF000000 00 8000 FF 00 00 0184 7FFFFFFF"))
	f.Fuzz(func(t *testing.T, columns uint8, clock int8, period int64, b []byte) {
		var r, plain cosem.Rows
		r.Reset(int(columns), int(clock), time.Duration(period)*time.Second)
		plain.Reset(int(columns), int(clock), time.Duration(period)*time.Second)
		_, _ = plain.Cut(b) // octets that nobody has checked
		plain.Reset(int(columns), int(clock), time.Duration(period)*time.Second)
		for len(b) > 0 {
			row, rest, err := axdr.Cut(b)
			if err != nil {
				return
			}
			b = rest
			before := bytes.Clone(row)
			cells, err := r.Cut(row)
			require.Equal(t, before, []byte(row))
			if err != nil {
				var decode *cosem.DecodeError
				require.True(t, errors.As(err, &decode))
				continue
			}
			if columns != 0 {
				require.Len(t, cells, int(columns))
			}
			whole := axdr.AppendStructure(nil, len(cells))
			for _, c := range cells {
				_, err := axdr.Parse(c)
				require.NoError(t, err)
				_, isDelta := c.Delta()
				require.False(t, isDelta)
				whole = append(whole, c...)
			}
			// What was put back leaves nothing to be put back, and is the same again.
			again, err := plain.Cut(whole)
			require.NoError(t, err)
			require.Equal(t, len(cells), len(again))
			for i, c := range again {
				if plain.Derived() && i == int(clock) {
					continue // an answer without the time that this one is taken to have
				}
				require.Equal(t, cells[i], c)
			}
		}
	})
}
