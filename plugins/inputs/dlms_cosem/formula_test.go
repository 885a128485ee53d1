package dlms_cosem

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressOf(t *testing.T) {
	for _, c := range []struct {
		formula, serial string
		want            int
	}{
		{defaultFormula, "51282380", 3380}, // as the recorded meter has it
		{defaultFormula, "LGZ51282380", 3380},
		{defaultFormula, "1", 1001},
		{"SN%10000+16", "12345678", 5694},
		{"SN % 1000", "12345678", 678},
		{"SN", "17", 17},
		{"SN + 1", "16", 17},
		{"last4", "12345678", 5678},
		{"last3", "12345678", 678},
		{"last2", "12345678", 78},
		{"mercury", "00012239", 239},
		{"mercury", "00012240", 40},
		{"mercury", "00012000", 1},
		{"mercury", "00012300", 1},
		{"last4", "7", 7},
	} {
		got, err := addressOf(c.formula, c.serial)
		require.NoError(t, err, "%v", c)
		require.Equal(t, c.want, got, "%v", c)
	}
	for formula, serial := range map[string]string{"SN": "99999", "last2": "100", "SN + 99999": "1", "": "1", "SN %": "1", "x": "1", "SN % 7": "12A"} {
		_, err := addressOf(formula, serial)
		require.Error(t, err, "%s of %s", formula, serial)
	}
}

func TestSerialNumbers(t *testing.T) {
	d := decodeConf(t, conf(hdlcTop+"\naddress_formula = \"last4\"", "name = \"a\"\nserial_number = \"10000017, 10000018\"", "name = \"b\"\nserial_number = [ 10000019, \"10000020\" ]"))
	require.NoError(t, d.Init())
	require.Equal(t, []string{"17", "18"}, d.Plan()[0].Addresses)
	require.Equal(t, []string{"19", "20"}, d.Plan()[1].Addresses)
}

func FuzzAddressOf(f *testing.F) {
	f.Add(defaultFormula, "51282380")
	f.Add("mercury", "LGZ1")
	f.Fuzz(func(t *testing.T, formula, serial string) {
		if n, err := addressOf(formula, serial); err == nil {
			require.GreaterOrEqual(t, n, 1)
			require.LessOrEqual(t, n, maxPhysical)
		}
	})
}
