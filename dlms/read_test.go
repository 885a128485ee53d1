package dlms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// names gives registers(20) names from 0100h on, and a profile 6200h.
func names() cosem.ShortNames {
	list := []cosem.ShortName{{Base: 0x6200, Class: cosem.ProfileGeneric, Instance: profileOfTests.Instance}}
	for i, at := range registers(20) {
		list = append(list, cosem.ShortName{Base: uint16(0x0100 + 0x30*i), Class: at.Class, Instance: at.Instance})
	}
	return cosem.PackShortNames(list)
}

var profileOfTests = cosem.Attribute{Class: cosem.ProfileGeneric, Instance: [6]byte{1, 0, 99, 1, 0, 255}, ID: 2}

// shortAARE is an accepting AARE for short names.
func shortAARE(conformance xdlms.Conformance, vaa uint16) []byte {
	initiate := xdlms.InitiateResponse{Version: 6, Conformance: conformance, MaxPDU: 500, VAA: vaa}
	a := acse.AARE{
		Context: acse.SN, Diagnostic: acse.Diagnostic{Source: acse.ServiceUser},
		UserInformation: initiate.Append(nil), HasUserInformation: true,
	}
	b, err := a.Append(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// shortApp accepts an association and gives the answers one after the other,
// each in hexadecimal; what it was asked is in sent.
func shortApp(t *testing.T, conformance xdlms.Conformance, sent *[]string, answers ...string) func([]byte) []byte {
	return func(apdu []byte) []byte {
		switch xdlms.APDUTag(apdu[0]) {
		case xdlms.TagAARQ:
			return shortAARE(conformance, xdlms.VAANameSN)
		case xdlms.TagRLRQ:
			return []byte{0x63, 0}
		default:
		}
		*sent = append(*sent, fmt.Sprintf("%X", apdu))
		if len(answers) == 0 {
			return nil
		}
		answer := answers[0]
		answers = answers[1:]
		return unhex(t, answer)
	}
}

func shortNamed(t *testing.T, conformance xdlms.Conformance, sent *[]string, answers ...string) *Association {
	t.Helper()
	l := newLine(wrapperMeter(shortApp(t, conformance, sent, answers...)))
	a, err := dialled(t, l, wrapperConfig).Associate(context.Background(), AssociationConfig{ShortNames: true, Names: names()})
	require.NoError(t, err)
	return a
}

func TestReadSingle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent []string
		a := shortNamed(t, ShortNameConformance, &sent,
			"0C01 00 06 0000002A", "0C01 01 0D", "0C02 00 0F01 00 0F01", "0C01 03 0001", "0C01 00 0F01 00", "0C00", "D80201", "0E 05 00 01", "C401C1000F01")
		ctx, at := context.Background(), registers(2)[1]
		d, err := a.Get(ctx, at, nil)
		require.NoError(t, err)
		v, _ := d.Int64()
		require.Equal(t, int64(42), v)
		for _, want := range []string{
			"READ class 3, 1.0.1.8.1.255, attribute 2 (value)",
			"scope-of-access-violated (data-access-result 13)",
			"the answer has 2 results", "the answer is that to a part of a request", "1 octet behind the result", "the answer has 0 results",
			"exception-response", "confirmedServiceError",
		}[1:] {
			_, err := a.Get(ctx, at, nil)
			require.ErrorContains(t, err, want)
			require.NoError(t, a.Lost())
		}
		for _, s := range sent {
			require.Equal(t, "0501020138", s)
		}
		// Without an answer to READ the connection is of no use: a late answer does not tell what it answers.
		_, err = a.Get(ctx, at, nil)
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Error(t, a.Lost())
		before := len(sent)
		_, err = a.Get(ctx, at, nil)
		require.ErrorAs(t, err, &timeout)
		require.Len(t, sent, before)
	})
}

func TestReadUnlisted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent []string
		a := shortNamed(t, ShortNameConformance, &sent, "0C02 00 0A0141 00 06 00000007")
		ats := []cosem.Attribute{
			register(9, 9), {Class: cosem.Data, Instance: [6]byte{0, 0, 42, 0, 0, 255}, ID: 2}, registers(1)[0], {Class: cosem.Data, Instance: registers(1)[0].Instance, ID: 2},
		}
		var texts []string
		require.NoError(t, a.GetList(context.Background(), ats, func(_ int, d axdr.Data, err error) {
			if err != nil {
				var access *AccessError
				require.ErrorAs(t, err, &access)
				require.True(t, access.Unlisted)
				texts = append(texts, err.Error())
				return
			}
			texts = append(texts, d.String())
		}))
		require.Equal(t, []string{
			"class 3, 1.0.9.8.9.255, attribute 2 (value): not in the meter's object list", `visible-string "A"`, "double-long-unsigned 7",
			"class 1, 1.0.1.8.0.255, attribute 2 (value): not in the meter's object list",
		}, texts)
		require.Equal(t, []string{"050202FD08020108"}, sent, "the name of the meter has one of the standard")
		require.NoError(t, a.GetList(context.Background(), ats[3:], func(_ int, _ axdr.Data, err error) { require.Error(t, err) }))
		require.Len(t, sent, 1)
	})
}

func TestReadBlocks(t *testing.T) {
	for name, blocks := range map[string][]string{
		"as in the standard":  {"0C01 02 00 0001 06 0100 0904 0102", "0C01 02 01 0002 02 0304"},
		"without a count":     {"0C01 02 00 0001 03 00 0904", "0C01 02 01 0002 04 01020304"},
		"bare":                {"0C01 02 00 0001 02 0904", "0C01 02 01 0002 04 01020304"},
		"from 0, one empty":   {"0C01 02 00 0000 06 0100 0904 0102", "0C01 02 00 0001 00", "0C01 02 01 0002 02 0304"},
		"a block twice":       {"0C01 02 00 0001 06 0100 0904 0102", "0C01 02 00 0001 06 0100 0904 0102", "0C01 02 01 0002 02 0304"},
		"all in a last block": {"0C01 02 01 0001 08 0100 0904 01020304"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sent []string
				a := shortNamed(t, ShortNameConformance, &sent, blocks...)
				d, err := a.Get(context.Background(), registers(1)[0], nil)
				require.NoError(t, err)
				require.Equal(t, unhex(t, "0904 01020304"), []byte(d))
				if name == "as in the standard" {
					require.Equal(t, []string{"0501020108", "0501050001"}, sent)
				}
			})
		})
	}
	for name, c := range map[string]struct {
		blocks []string
		want   string
	}{
		"refused in the end": {[]string{"0C01 02 00 0001 02 0100", "0C01 01 02"}, "temporary-failure"},
		"a value":            {[]string{"0C01 02 00 0001 02 0100", "0C01 00 0F01"}, "expected block 2, got a value"},
		"another number":     {[]string{"0C01 02 00 0001 02 0100", "0C01 02 00 0007 00"}, "expected block 2, got block 7"},
		"too few":            {[]string{"0C01 02 01 0001 04 0100 0904"}, "joined blocks"},
		"too many results":   {[]string{"0C01 02 01 0001 05 0200 0F01 00"}, "joined blocks"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sent []string
				a := shortNamed(t, ShortNameConformance, &sent, c.blocks...)
				_, err := a.Get(context.Background(), registers(1)[0], nil)
				require.ErrorContains(t, err, c.want)
			})
		})
	}
}

func TestReadRows(t *testing.T) {
	sel := cosem.EntrySelection(1, 2, 1, 0)
	for name, c := range map[string]struct {
		answers []string
		rows    int
		err     string
	}{
		"at once":            {[]string{"0C01 00 0102 0F01 0F02"}, 2, ""},
		"no rows":            {[]string{"0C01 00 0100"}, 0, ""},
		"in blocks":          {[]string{"0C01 02 00 0001 01 01", "0C01 02 00 0002 02 0001", "0C01 02 01 0003 05 02 0F01 0F02"}, 2, ""},
		"without a count":    {[]string{"0C01 02 00 0001 05 00 0102 0F01", "0C01 02 01 0002 02 0F02"}, 2, ""},
		"bare":               {[]string{"0C01 02 00 0001 05 0103 0F0102", "0C01 02 01 0002 00"}, 1, "ends within number 2"},
		"bare, none":         {[]string{"0C01 02 01 0001 02 0100"}, 0, ""},
		"refused":            {[]string{"0C01 01 04"}, 0, "object-undefined"},
		"refused in a block": {[]string{"0C01 02 01 0001 03 010104"}, 0, "object-undefined"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sent []string
				a := shortNamed(t, ShortNameConformance, &sent, c.answers...)
				rows := 0
				err := a.GetRows(context.Background(), profileOfTests, &sel, func(axdr.Data) error { rows++; return nil })
				require.Equal(t, c.rows, rows)
				if c.err != "" {
					require.ErrorContains(t, err, c.err)
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, "05010462080202040600000001060000000212000112000"+"0", sent[0])
			})
		})
	}
	t.Run("not granted", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var sent []string
			a := shortNamed(t, xdlms.ConformanceRead, &sent)
			require.ErrorContains(t, a.GetRows(context.Background(), profileOfTests, &sel, nil), "the meter does not grant parameterized access")
			require.Equal(t, 1, a.ListSize())
			require.Empty(t, sent)
		})
	})
}

// TestReadListInBlocks has lists in blocks, whole and as some meters have them.
func TestReadListInBlocks(t *testing.T) {
	for name, c := range map[string]struct{ first, last, err string }{
		"as in the standard":            {"03 00 06000000", "01 01 04 00 0F02", ""},
		"without a count":               {"00 06000000", "01 01 04 00 0F02", ""},
		"without the first choice, too": {"06000000", "01 01 04 00 0F02", ""},
		"too few":                       {"03 00 06000000", "01 01 04", "joined blocks"},
		"too many":                      {"00 06000000", "01 01 04 00 0F02 00 0F02", "joined blocks"},
		"a block in it":                 {"03 00 06000000", "01 02 01 0001 00 00 0F02", "joined blocks"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sent []string
				block := func(last bool, number int, raw string) string {
					p := xdlms.ReadResult{Choice: xdlms.ReadBlock, Last: last, Block: uint16(number), Raw: unhex(t, raw)}
					return fmt.Sprintf("%X", p.Append(xdlms.AppendReadResponse(nil, 1)))
				}
				a := shortNamed(t, ShortNameConformance, &sent, block(false, 1, c.first), block(true, 2, c.last))
				r := listReader{a: a}
				err := r.readList(context.Background(), registers(3))
				require.Equal(t, []string{"0503020108020138020168", "0501050001"}, sent)
				if c.err != "" {
					require.ErrorContains(t, err, c.err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, []listResult{
					{data: unhex(t, "0600000001")}, {result: xdlms.ObjectUndefined}, {data: unhex(t, "0F02")},
				}, a.results)
			})
		})
	}
}

// TestReadNames has object lists that are not what they should be.
func TestReadNames(t *testing.T) {
	const good = "0204 10FA00 12000C 1103 09060000280000FF"
	for name, c := range map[string]struct {
		list  string
		count int
		err   string
	}{
		"with a broken element": {"0102" + good + "0202 0F01 0F02", 1, ""},
		"empty":                 {"0100", 0, "the object list is empty"},
		"no list":               {"0F01", 0, "expected an array"},
		"count too large":       {"0105" + good, 0, "element is cut short"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sent []string
				a := shortNamed(t, ShortNameConformance, &sent, "0C01 00"+c.list)
				list, err := a.ReadNames(context.Background())
				require.Equal(t, []string{"050102FA08"}, sent, name)
				require.Equal(t, c.count, list.Len(), name)
				if c.err != "" {
					require.ErrorContains(t, err, c.err, name)
				} else {
					require.NoError(t, err, name)
				}
			})
		})
	}
}

func TestReferencingDisagrees(t *testing.T) {
	for name, c := range map[string]struct {
		short  bool
		answer []byte
		want   string
	}{
		"logical names granted": {true, shortAARE(xdlms.ConformanceGet, xdlms.VAANameLN), "the meter grants logical-name referencing only (vaa-name 0007)"},
		"another context":       {true, aare(allServices, 500), "asked for short name referencing, no ciphering, the meter accepts logical name referencing, no ciphering"},
		"short names accepted":  {false, shortAARE(ShortNameConformance, xdlms.VAANameSN), "asked for logical name referencing, no ciphering, the meter accepts short name referencing, no ciphering"},
		"nothing granted":       {true, shortAARE(0, xdlms.VAANameSN), ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(wrapperMeter(func(apdu []byte) []byte { return c.answer }))
				a, err := dialled(t, l, wrapperConfig).Associate(context.Background(), AssociationConfig{ShortNames: c.short})
				if c.want != "" {
					require.ErrorContains(t, err, c.want, name)
					return
				}
				require.NoError(t, err, name)
				require.True(t, a.Parameters().AssumedGet)
				require.Equal(t, xdlms.ConformanceRead, a.Parameters().Conformance)
			})
		})
	}
	cfg := wrapperConfig
	cfg.Datagram = true
	_, err := dialled(t, newLine(nil), cfg).Associate(context.Background(), AssociationConfig{ShortNames: true})
	require.ErrorContains(t, err, "short-name referencing does not go over datagrams")
}

// TestDialogShortNames replays a session with a Landis+Gyr meter. Its client
// proposed other frames and services than we do; from then on all octets are
// the same.
func TestDialogShortNames(t *testing.T) {
	turns := dialog(t, "dlg-lg-sn-session")[1:]
	bubble(t, func(t *testing.T) {
		next := 0
		l := newLine(func(l *line, message []byte) {
			if want := turns[next].client; next > 1 && !bytes.Equal(message, want) {
				t.Errorf("message %d:\n got %X\nwant %X", next+1, message, want)
			}
			for _, b := range turns[next].meter {
				l.say(0, b)
			}
			next++
		})
		c := dialled(t, l, ConnConfig{Framing: HDLC, ClientAddress: 16, LogicalAddress: 1, PhysicalAddress: 3380})
		data := func(base uint16, name ...byte) (cosem.ShortName, cosem.Attribute) {
			code := [6]byte(name)
			return cosem.ShortName{Base: base, Class: cosem.Data, Instance: code}, cosem.Attribute{Class: cosem.Data, Instance: code, ID: 2}
		}
		firmware, atFirmware := data(0xFF00, 1, 0, 0, 2, 0, 255)
		module, atModule := data(0x3840, 0, 0, 96, 0, 0, 255)
		other, atOther := data(0xC1C0, 0, 0, 96, 2, 0, 255)
		serial, atSerial := data(0x5A80, 0, 0, 96, 1, 0, 255)
		_, device := data(0, 0, 0, 42, 0, 0, 255)
		ctx := context.Background()
		a, err := c.Associate(ctx, AssociationConfig{
			ShortNames: true, Names: cosem.PackShortNames([]cosem.ShortName{firmware, module, other, serial}),
		})
		require.NoError(t, err)
		require.Equal(t, xdlms.Conformance(0x180220), a.Parameters().Granted)
		require.Equal(t, 2400, a.Parameters().MaxPDU)
		var texts []string
		require.NoError(t, a.GetList(ctx, []cosem.Attribute{device, atFirmware}, func(_ int, d axdr.Data, err error) {
			require.NoError(t, err)
			b, _ := d.Octets()
			texts = append(texts, string(bytes.TrimRight(b, "\x00")))
		}))
		for _, at := range []cosem.Attribute{atModule, atOther, atSerial} {
			d, err := a.Get(ctx, at, nil)
			require.NoError(t, err)
			b, _ := d.Octets()
			texts = append(texts, string(b))
		}
		require.Equal(t, "LGZ51282380", texts[0])
		require.Equal(t, "B32", texts[1])
		require.Len(t, texts[2], 0x25)
		require.Equal(t, "51282380", texts[4])
		require.NoError(t, a.Release(ctx))
		require.Equal(t, len(turns), next)
	})
}

// TestShortNamesLateAnswer: over HDLC a late answer has its number.
func TestShortNamesLateAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var sent []string
		app := shortApp(t, ShortNameConformance, &sent, "0C01 00 06 00000001", "0C01 00 06 00000002")
		m := &hdlcMeter{app: app}
		first := true
		m.frame = func(m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if f.Control.Kind() != hdlc.I || len(sent) != 0 || !bytes.Contains(f.Info, []byte{0x05, 0x01}) || !first {
				return false
			}
			first = false
			return true // lost on its way to the meter: it is asked for again
		}
		l := newLine(m.answer)
		a, err := dialled(t, l, hdlcConfig).Associate(context.Background(), AssociationConfig{ShortNames: true, Names: names()})
		require.NoError(t, err)
		began := time.Now()
		for want := int64(1); want <= 2; want++ {
			d, err := a.Get(context.Background(), registers(1)[0], nil)
			require.NoError(t, err)
			v, _ := d.Int64()
			require.Equal(t, want, v)
		}
		require.GreaterOrEqual(t, time.Since(began), defaultReplyTimeout)
		require.False(t, errors.Is(a.Lost(), context.Canceled))
	})
}
