package xdlms

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

const stamp = "07E503170213 1A3AFF800000"

func TestDataNotificationDateTimes(t *testing.T) {
	for _, c := range []struct{ name, hex, time, body string }{
		{"none", "0F 40000000 00 0101 1105", "", "0101 1105"},
		{"as the standard has it", "0F 40000000 0C" + stamp + "0201 0600000BF3", stamp, "0201 0600000BF3"},
		{"with the tag of an octet-string", "0F 40000000 090C" + stamp + "0201 0600000BF3", stamp, "0201 0600000BF3"},
		{"with the tag of a date-time", "0F 40000000 19" + stamp + "0201 0600000BF3", stamp, "0201 0600000BF3"},
		{"without even a flag", "0F 40000000 0201 0600000BF3", "", "0201 0600000BF3"},
		{"heartbeat", "0F 40000000 00 00", "", "00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			n, err := ParseDataNotification(b)
			require.NoError(t, err)
			require.Equal(t, LongConfirmed, n.InvokeID)
			require.Equal(t, octets(t, c.time), append([]byte{}, n.Time...))
			require.Equal(t, octets(t, c.body), n.Body)
			again, err := n.Append(nil)
			require.NoError(t, err)
			m, err := ParseDataNotification(again)
			require.NoError(t, err)
			require.Equal(t, n, m)
		})
	}
	whole := octets(t, "0F 40000000 0C"+stamp+"00")
	requirePrefixesFail(t, whole, func(b []byte) error { _, err := ParseDataNotification(b); return err })
	_, err := (&DataNotification{Time: []byte{1}}).Append(nil)
	require.EqualError(t, err, "data-notification: date-time of 1 octets, want 12")
}

func TestEventNotification(t *testing.T) {
	b := octets(t, "C2 01 0C"+stamp+"0003 0100010800FF 02 06 00000005")
	n, err := ParseEventNotification(b)
	require.NoError(t, err)
	require.Equal(t, EventNotification{
		Time:      octets(t, stamp),
		Attribute: cosem.Attribute{Class: 3, Instance: obis.Code{1, 0, 1, 8, 0, 255}, ID: 2},
		Value:     axdr.Data{6, 0, 0, 0, 5},
	}, n)
	again, err := n.Append(nil)
	require.NoError(t, err)
	require.Equal(t, b, again)
	requirePrefixesFail(t, b, func(b []byte) error { _, err := ParseEventNotification(b); return err })
	tagged, err := ParseEventNotification(octets(t, "C2 09 0C"+stamp+"0003 0100010800FF 02 06 00000005"))
	require.NoError(t, err)
	require.Equal(t, n, tagged)
	requireRefusals(t, []refusal{
		{"flag", "C2 07", "event-notification-request, octet 1: time: flag 07"},
		{"octets behind", "C2 00 0003 0100010800FF 02 00 00", "event-notification-request, octet 12: octets left over: 1"},
	}, func(b []byte) error { _, err := ParseEventNotification(b); return err })
}

func TestInformationReport(t *testing.T) {
	b := octets(t, "18 00 02 02 0100 02 0110 02 1105 120006")
	n, err := ParseInformationReport(b)
	require.NoError(t, err)
	require.Equal(t, []uint16{0x100, 0x110}, n.Names)
	require.Equal(t, []axdr.Data{{0x11, 5}, {0x12, 0, 6}}, n.Values)
	again, err := n.Append(nil)
	require.NoError(t, err)
	require.Equal(t, b, again)
	requirePrefixesFail(t, b, func(b []byte) error { _, err := ParseInformationReport(b); return err })
	requireRefusals(t, []refusal{
		{"counts", "18 00 01 02 0100 02 00 00", "information-report-request, octet 6: 2 values for 1 names"},
		{"choice", "18 00 01 04 0100 01 00", "information-report-request, octet 4: choice 4, only 2 (variable-name) is known here"},
		{"many", "18 00 8400FFFFFF 02", "information-report-request, octet 2: variable-access-specification: 16777215 in 1 octets: unexpected EOF"},
	}, func(b []byte) error { _, err := ParseInformationReport(b); return err })
}

func TestConfirm(t *testing.T) {
	require.Equal(t, octets(t, "10 40000007"), AppendDataNotificationConfirm(nil, LongConfirmed|7))
	require.Equal(t, uint32(7), (LongConfirmed | 7).ID())
}

func block(number uint16, last bool, data string) GeneralBlock {
	return GeneralBlock{Number: number, Last: last, Streaming: true, Data: []byte(data)}
}

func TestGeneralBlock(t *testing.T) {
	b := octets(t, "E0 C0 0004 0000 06 120000120000 7E")
	g, rest, err := CutGeneralBlock(b)
	require.NoError(t, err)
	require.Equal(t, GeneralBlock{Last: true, Streaming: true, Number: 4, Data: octets(t, "120000120000")}, g)
	require.Equal(t, []byte{0x7E}, rest)
	require.Equal(t, b[:len(b)-1], g.Append(nil))
	requirePrefixesFail(t, b[:len(b)-1], func(b []byte) error { _, _, err := CutGeneralBlock(b); return err })
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		name   string
		blocks []GeneralBlock
		want   []string // "" nothing, "!" an error
	}{
		{"in order", []GeneralBlock{block(1, false, "a"), block(2, false, "b"), block(3, true, "c")}, []string{"", "", "abc"}},
		{"alone", []GeneralBlock{block(1, true, "a")}, []string{"a"}},
		{"begins anew", []GeneralBlock{block(1, false, "a"), block(2, false, "b"), block(1, false, "x"), block(2, true, "y")}, []string{"", "", "", "xy"}},
		{"twice", []GeneralBlock{block(1, false, "a"), block(2, false, "b"), block(2, false, "b"), block(3, true, "c")}, []string{"", "", "", "abc"}},
		{"one lost", []GeneralBlock{block(1, false, "a"), block(3, true, "c"), block(4, true, "d"), block(1, true, "x")}, []string{"", "!", "!", "x"}},
		{"the first lost", []GeneralBlock{block(2, false, "b"), block(3, true, "c")}, []string{"!", "!"}},
		{"number 0", []GeneralBlock{block(0, true, "b")}, []string{"!"}},
		{"too much", []GeneralBlock{block(1, false, "12345"), block(2, false, "67890"), block(3, true, "1"), block(1, true, "ok")}, []string{"", "", "!", "ok"}},
		{"the last repeated", []GeneralBlock{block(1, false, "a"), block(2, true, "b"), block(2, true, "b")}, []string{"", "ab", "!"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := Blocks{Max: 10}
			for i, g := range c.blocks {
				apdu, err := j.Add(g)
				switch c.want[i] {
				case "!":
					var blockError *BlockError
					require.ErrorAs(t, err, &blockError, "block %d", i)
					require.NotEmpty(t, err.Error())
				default:
					require.NoError(t, err, "block %d", i)
					require.Equal(t, c.want[i], string(apdu), "block %d", i)
				}
			}
			require.False(t, j.Pending())
		})
	}
}

func TestCiphered(t *testing.T) {
	for _, c := range []struct{ name, hex, title, protected string }{
		{"general-glo", "DB 08 4D4D4D0000BC614E 06 30 01234567 AA", "4D4D4D0000BC614E", "30 01234567 AA"},
		{"general-ded without a title", "DC 00 06 30 01234567 AA", "", "30 01234567 AA"},
		{"glo-event-notification", "CA 05 20 00000001", "", "20 00000001"},
		{"ded-information-report", "58 05 20 00000001", "", "20 00000001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			got, rest, err := CutCiphered(append(bytes.Clone(b), 0xEE))
			require.NoError(t, err)
			require.Equal(t, []byte{0xEE}, rest)
			require.Equal(t, octets(t, c.title), append([]byte{}, got.Title...))
			require.Equal(t, octets(t, c.protected), got.Protected)
			require.Equal(t, b, got.Append(nil))
			requirePrefixesFail(t, b, func(b []byte) error { _, _, err := CutCiphered(b); return err })
		})
	}
	general := octets(t, "DD 01 07 08 4D4D4D0000BC614E 00 00 00 01 02 01 02 01 AA 05 30 00000001")
	got, rest, err := CutCiphered(general)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, octets(t, "30 00000001"), got.Protected)
	requirePrefixesFail(t, general, func(b []byte) error { _, _, err := CutCiphered(b); return err })
	requireRefusals(t, []refusal{
		{"title", "DB 07 00", "general-glo-ciphering, octet 1: system-title of 7 octets, want 8 or none"},
		{"title of 255", "DB 81FF 00", "general-glo-ciphering, octet 1: system-title of 255 octets, want 8 or none"},
		{"plain", "C4 01", "get-response, octet 0: no ciphered APDU"},
		{"key-info", "DD 00 00 00 00 00 01 07", "general-ciphering, octet 8: key-info choice 7"},
	}, func(b []byte) error { _, _, err := CutCiphered(b); return err })
}

func FuzzNotifications(f *testing.F) {
	for _, s := range []string{"0F 40000000 0C" + stamp + "00", "C2 00 0003 0100010800FF 02 00", "18 00 01 02 0100 01 00", "DB 00 05 2000000001", "E0 80 0001 0000 01 00"} {
		f.Add(octets(f, s))
	}
	j := Blocks{Max: 1000}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := ParseDataNotification(b); err == nil {
			again, err := n.Append(nil)
			require.NoError(t, err)
			m, err := ParseDataNotification(again)
			require.NoError(t, err)
			require.Equal(t, n.InvokeID, m.InvokeID)
			require.Equal(t, n.Body, m.Body)
		}
		if n, err := ParseEventNotification(b); err == nil {
			again, err := n.Append(nil)
			require.NoError(t, err)
			m, err := ParseEventNotification(again)
			require.NoError(t, err)
			require.Equal(t, n, m)
		}
		if n, err := ParseInformationReport(b); err == nil {
			again, err := n.Append(nil)
			require.NoError(t, err)
			m, err := ParseInformationReport(again)
			require.NoError(t, err)
			require.Equal(t, n, m)
		}
		if c, rest, err := CutCiphered(b); err == nil {
			require.Less(t, len(rest), len(b))
			require.Contains(t, []int{0, 8}, len(c.Title))
		}
		if g, rest, err := CutGeneralBlock(b); err == nil {
			require.Less(t, len(rest), len(b))
			apdu, _ := j.Add(g)
			require.LessOrEqual(t, len(apdu), 1000)
		}
	})
}
