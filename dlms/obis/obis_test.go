package obis_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]obis.Code{
		"1.0.1.8.0.255":         {1, 0, 1, 8, 0, 255},
		"1-0:1.8.0*255":         {1, 0, 1, 8, 0, 255},
		"1.0.1.8.0*255":         {1, 0, 1, 8, 0, 255},
		"1-0:1.8.0&1":           {1, 0, 1, 8, 0, 1},
		"1-0:1.8.0.255":         {1, 0, 1, 8, 0, 255},
		"1-0:1.8.0":             {1, 0, 1, 8, 0, 255},
		"1.8.0":                 {1, 0, 1, 8, 0, 255},
		"1.8.0*2":               {1, 0, 1, 8, 0, 2},
		"21.7.0":                {1, 0, 21, 7, 0, 255},
		"0-0:96.1.0*255":        {0, 0, 96, 1, 0, 255},
		"0-1:24.2.1":            {0, 1, 24, 2, 1, 255},
		"0.0.1.0.0.255":         {0, 0, 1, 0, 0, 255},
		"0100010800FF":          {1, 0, 1, 8, 0, 255},
		"0000600100ff":          {0, 0, 96, 1, 0, 255},
		"001.000.001.008.000.1": {1, 0, 1, 8, 0, 1},
		" 1.0.1.8.0.255\t":      {1, 0, 1, 8, 0, 255},
		"255.255.255.255.255.0": {255, 255, 255, 255, 255, 0},
		"1-0:1.8.0.0":           {1, 0, 1, 8, 0, 0},
		"255-255:255.255.255*0": {255, 255, 255, 255, 255, 0},
	} {
		got, err := obis.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParseRefuses(t *testing.T) {
	const advice = "; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255"
	for text, want := range map[string]string{
		"":                       "it is empty",
		" ":                      "it is empty",
		"1.0.x":                  `value group E is "x", not a number from 0 to 255`,
		"1.0.1.8.0.256":          `value group F is "256", not a number from 0 to 255`,
		"1.0.1.8.0.-1":           `value group F is "-1", not a number from 0 to 255`,
		"1.0.1.8.0.+1":           `value group F is "+1", not a number from 0 to 255`,
		"1.0.1.8.0.0001":         `value group F is "0001", not a number from 0 to 255`,
		"1.0..8.0.255":           `value group C is "", not a number from 0 to 255`,
		"1.0.1.8.0.FF":           `value group F is "FF", not a number from 0 to 255`,
		"1.0.1.8.0.255.1":        `"1.0.1.8.0.255.1" has 7 numbers between dots`,
		"1.0.1.8.0":              `"1.0.1.8.0" has 5 numbers between dots`,
		"1.8":                    `"1.8" has 2 numbers between dots`,
		"1.8.0.255":              `"1.8.0.255" has 4 numbers between dots`,
		"energy":                 `"energy" has no dots`,
		"0100010800F":            `"0100010800F" has no dots`,
		"0100010800FG":           `"0100010800FG" has no dots`,
		"10:1.8.0":               `"10" before the colon is not A-B`,
		"1-x:1.8.0":              `value group B is "x", not a number from 0 to 255`,
		"1-0:1.8":                `"1-0:1.8" has 2 numbers between dots`,
		"1-0:1.8.0*":             `value group F is "", not a number from 0 to 255`,
		"1-0:1.8.0.1*255":        `"1-0:1.8.0.1*255" has 4 numbers between dots`,
		"1-0-1.8.0":              `value group C is "1-0-1", not a number from 0 to 255`,
		"1-0:1:8.0":              `"1-0:1:8.0" has 2 numbers between dots`,
		strings.Repeat("9", 100): `"` + strings.Repeat("9", 40) + `..." has no dots`,
	} {
		_, err := obis.Parse(text)
		var parse *obis.ParseError
		require.ErrorAs(t, err, &parse, text)
		assert.Equal(t, text, parse.Text)
		assert.EqualError(t, err, "not an OBIS code: "+want+advice)
	}
}

func TestStringRoundTrip(t *testing.T) {
	for i := range 256 {
		c := obis.Code{byte(i), byte(i + 1), byte(3 * i), byte(5 * i), byte(7 * i), byte(255 - i)}
		s := c.String()
		got, err := obis.Parse(s)
		require.NoError(t, err)
		require.Equal(t, c, got)
		require.Equal(t, 5, strings.Count(s, "."))
	}
	require.Equal(t, "1.0.1.8.0.255", obis.Code{1, 0, 1, 8, 0, 255}.String())
	require.Equal(t, "0.0.0.0.0.0", obis.Code{}.String())
}

func TestFromOctets(t *testing.T) {
	c, ok := obis.FromOctets([]byte{0, 0, 42, 0, 0, 255})
	require.True(t, ok)
	require.Equal(t, obis.Code{0, 0, 42, 0, 0, 255}, c)
	for _, n := range []int{0, 5, 7} {
		_, ok := obis.FromOctets(make([]byte, n))
		require.False(t, ok, strconv.Itoa(n))
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"1.0.1.8.0.255", "1-0:1.8.0*255", "1-0:1.8.0.255", "1-0:1.8.0", "1.8.0", "1.8.0*2", "0100010800FF",
		"1-0:1.8.0&1", "1.0.x", "*", ":", "-:..*", "1.2.3.4.5.6.7", "٣.0.1.8.0.255",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := obis.Parse(s)
		if err != nil {
			var parse *obis.ParseError
			require.ErrorAs(t, err, &parse)
			require.Zero(t, c)
			require.LessOrEqual(t, len(err.Error()), 600)
			return
		}
		again, err := obis.Parse(c.String())
		require.NoError(t, err)
		require.Equal(t, c, again)
	})
}
