package security_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

func TestTitleText(t *testing.T) {
	for title, want := range map[string]string{
		"4D4D4D0000BC614E":   "MMM 12345678 (4D4D4D0000BC614E)",
		"4B414D4501349083":   "KAM 20222083 (4B414D4501349083)",
		"4B464D6750000009":   "KFM 9 (4B464D6750000009)", // by IDIS: type 103, functions 5
		"454C536570000001":   "ELS 1 (454C536570000001)",
		"4B464D6850000009":   "KFM 1342177289 (4B464D6850000009)",
		"41424300FFFFFFFF":   "ABC 4294967295 (41424300FFFFFFFF)",
		"4D4D4D0000000000":   "MMM 0 (4D4D4D0000000000)",
		"4D4D6D0000BC614E":   "4D4D6D0000BC614E",
		"4D4D5B0000BC614E":   "4D4D5B0000BC614E",
		"404D4D0000BC614E":   "404D4D0000BC614E",
		"0000000000000000":   "0000000000000000",
		"4D4D4D0000BC61":     "4D4D4D0000BC61",
		"4D4D4D0000BC614E00": "4D4D4D0000BC614E00",
		"4D4D":               "4D4D",
		"":                   "",
	} {
		require.Equal(t, want, security.TitleText(octets(t, title)))
	}
}
