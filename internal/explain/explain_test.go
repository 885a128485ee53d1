package explain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

var update = flag.Bool("update", false, "write what comes out to testdata")

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

// capture is a telegram of a real meter.
type capture struct {
	ID        string
	GUEK, GAK string
	Encrypted bool
	data      []byte
}

func captures(t testing.TB) []capture {
	t.Helper()
	files, err := filepath.Glob("../../dlms/testdata/captures/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var list []capture
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		c := capture{data: data}
		require.NoError(t, json.Unmarshal(data, &c))
		list = append(list, c)
	}
	return list
}

func captured(t testing.TB, id string) capture {
	t.Helper()
	for _, c := range captures(t) {
		if c.ID == id {
			return c
		}
	}
	require.Fail(t, "no capture "+id)
	return capture{}
}

func (c *capture) options(t testing.TB) Options {
	return Options{Key: unhexed(t, c.GUEK), AuthKey: unhexed(t, c.GAK)}
}

func explained(t testing.TB, data []byte, opt Options) *Report {
	t.Helper()
	in, err := ParseInput(data)
	require.NoError(t, err)
	r, err := Explain(in, opt)
	require.NoError(t, err)
	return r
}

func tree(t testing.TB, r *Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, r.WriteTree(&b, TreeOptions{}))
	return b.String()
}

func recorded(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../dlms/testdata/sessions/" + name + ".txt")
	require.NoError(t, err)
	return data
}

// lines is octets as hexadecimal text, a line for each.
func lines(list ...[]byte) []byte {
	var b bytes.Buffer
	for _, l := range list {
		fmt.Fprintf(&b, "%X\n", l)
	}
	return b.Bytes()
}

func meterFrame(t testing.TB, c hdlc.Control, segmented bool, info []byte) []byte {
	t.Helper()
	f := hdlc.Frame{Source: hdlc.Address{Upper: 1, Lower: 17, Size: 2}, Destination: hdlc.ClientAddress(16), Control: c, Segmented: segmented, Info: info}
	b, err := f.Append(nil)
	require.NoError(t, err)
	return b
}

// someBody is the body of a push: a code, a value and its unit, and a name.
func someBody() []byte {
	b := axdr.AppendStructure(nil, 5)
	b = axdr.AppendOctetString(b, []byte{1, 0, 1, 8, 0, 255})
	b = axdr.AppendDoubleLongUnsigned(b, 123456)
	b = cosem.ScalerUnit{Scaler: -1, Unit: cosem.UnitWattHour}.Append(b)
	b = axdr.AppendOctetString(b, []byte{0, 0, 42, 0, 0, 255})
	return axdr.AppendVisibleString(b, "XYZ1234567890123")
}

func somePush(t testing.TB) []byte {
	t.Helper()
	n := xdlms.DataNotification{InvokeID: 5 | xdlms.LongHighPriority, Body: someBody()}
	b, err := n.Append(nil)
	require.NoError(t, err)
	return b
}

// blockPush is a push in blocks, each in a frame of its own, of which only the
// first has an LLC header.
func blockPush(t testing.TB) []byte {
	apdu := somePush(t)
	var list [][]byte
	for i := 0; len(apdu) > 0; i++ {
		n := min(20, len(apdu))
		g := xdlms.GeneralBlock{Last: n == len(apdu), Streaming: n < len(apdu), Number: uint16(i + 1), Data: apdu[:n]}
		var info []byte
		if i == 0 {
			info = []byte{0xE6, 0xE7, 0}
		}
		list = append(list, meterFrame(t, hdlc.Unnumbered(hdlc.UI, true), false, g.Append(info)))
		apdu = apdu[n:]
	}
	return lines(list...)
}

func telegram() []byte {
	return iec62056.AppendTelegram(nil, `ISK5\2M550T-1012`, []string{
		"1-3:0.2.8(50)", "0-0:1.0.0(210204163628W)", "0-0:96.1.1(4530303434303037323437373331333231)", "1-0:1.8.1(002262.525*kWh)",
		"0-1:24.1.0(003)", "0-1:96.1.0(4730303339303031363532303530323136)", "0-1:24.2.1(210204160000W)(00671.790*m3)",
	})
}

// readout is the data block of a meter that was asked in mode C, with the
// sign-on before.
func readout() []byte {
	b := []byte("/?!\r\n/LGZ5\\2ZMD3104407.B32\r\n\x060\x35\x31\r\n\x02F.F(00000000)\r\nC.1.0(31265489)\r\n1.8.0(001234.567*kWh)\r\n!\r\n\x03")
	bcc := byte(0)
	for _, c := range b[bytes.IndexByte(b, 2)+1:] {
		bcc ^= c
	}
	return append(b, bcc)
}

// cipheredPoll is a dialog with an association whose APDUs are protected with a
// dedicated key.
func cipheredPoll(t testing.TB, key, authKey []byte) []byte {
	t.Helper()
	client, server := []byte("CLT\x00\x00\x01\x02\x03"), []byte("SRV\x00\x00\x0A\x0B\x0C")
	dedicated := []byte("0123456789abcdef")
	counter := byte(0)
	seal := func(tag xdlms.APDUTag, key, title, plain []byte) []byte {
		counter++
		keys, err := security.NewContext(security.Keys{EncryptionKey: key, AuthenticationKey: authKey})
		require.NoError(t, err)
		c := xdlms.Ciphered{Tag: tag, Protected: keys.Seal(nil, title, security.Authenticated|security.Encrypted, 0x100+uint32(counter), plain)}
		return c.Append(nil)
	}
	initiate := xdlms.InitiateRequest{DedicatedKey: dedicated, ResponseAllowed: true, Version: xdlms.Version, Conformance: xdlms.ConformanceGet, MaxPDU: 1024}
	aarq := acse.AARQ{
		Context: acse.LNCiphered, CallingTitle: client, Mechanism: acse.Low, AuthenticationValue: []byte("secret pass"),
		UserInformation: seal(xdlms.TagGloInitiateRequest, key, client, initiate.Append(nil)),
	}
	first, err := aarq.Append(nil)
	require.NoError(t, err)
	granted := xdlms.InitiateResponse{Version: xdlms.Version, Conformance: xdlms.ConformanceGet, MaxPDU: 500, VAA: xdlms.VAANameLN}
	aare := acse.AARE{
		Context: acse.LNCiphered, Diagnostic: acse.Diagnostic{Source: acse.ServiceUser}, RespondingTitle: server,
		UserInformation: seal(xdlms.TagGloInitiateResponse, key, server, granted.Append(nil)),
	}
	second, err := aare.Append(nil)
	require.NoError(t, err)
	code := obis.Code{1, 0, 1, 8, 0, 255}
	get := func(id int8) []byte {
		q := xdlms.GetRequest{Type: xdlms.GetNormal, InvokeID: 0xC1, Attributes: []cosem.Attribute{{Class: cosem.Register, Instance: code, ID: id}}}
		b, err := q.Append(nil)
		require.NoError(t, err)
		return seal(xdlms.TagDedGetRequest, dedicated, client, b)
	}
	answer := func(d []byte) []byte {
		return seal(xdlms.TagDedGetResponse, dedicated, server, xdlms.AppendGetResponseNormal(nil, 0xC1, d))
	}
	name := xdlms.GetRequest{Type: xdlms.GetNormal, InvokeID: 0xC2, Attributes: []cosem.Attribute{{Class: cosem.Data, Instance: obis.Code{0, 0, 42, 0, 0, 255}, ID: 2}}}
	asked, err := name.Append(nil)
	require.NoError(t, err)
	var b bytes.Buffer
	b.WriteString(recordHeader + "\n2026-11-27T23:04:05.000000Z tcp://10.0.0.5:4059 = opened\n")
	for i, apdu := range [][]byte{
		first, second, get(3), answer(cosem.ScalerUnit{Scaler: -2, Unit: cosem.UnitWattHour}.Append(nil)), get(2),
		answer(axdr.AppendDoubleLongUnsigned(nil, 1234567)),
		seal(xdlms.TagDedGetRequest, dedicated, client, asked),
		seal(xdlms.TagDedGetResponse, dedicated, server, xdlms.AppendGetResponseNormal(nil, 0xC2, axdr.AppendOctetString(nil, []byte("SRV1000000658188")))),
	} {
		from, to, mark := uint16(16), uint16(1), ">"
		if i%2 == 1 {
			from, to, mark = 1, 16, "<"
		}
		frame, err := wrapper.Append(nil, from, to, apdu)
		require.NoError(t, err)
		fmt.Fprintf(&b, "2026-11-27T23:04:05.%06dZ tcp://10.0.0.5:4059 %s %X\n", i+1, mark, frame)
	}
	b.WriteString("2026-11-27T23:04:06.000000Z tcp://10.0.0.5:4059 = closed\n")
	return b.Bytes()
}

// shortNames is a dialog with short names: a list, and an answer in blocks.
func shortNames(t testing.TB) []byte {
	t.Helper()
	q := xdlms.ReadRequest{Accesses: []xdlms.VariableAccess{{Choice: xdlms.VariableName, Name: 0xFD08}, {Choice: xdlms.VariableName, Name: 0x3848}}}
	ask, err := q.Append(nil)
	require.NoError(t, err)
	ok := xdlms.ReadResult{Choice: xdlms.ReadData, Data: axdr.AppendOctetString(nil, []byte("LGZ51282380\x00\x00\x00\x00\x00"))}
	no := xdlms.ReadResult{Choice: xdlms.ReadRefused, Error: xdlms.ObjectUndefined}
	whole := no.Append(ok.Append([]byte{2}))
	part := func(block uint16, last bool, raw []byte) []byte {
		p := xdlms.ReadResult{Choice: xdlms.ReadBlock, Block: block, Last: last, Raw: raw}
		return p.Append(xdlms.AppendReadResponse(nil, 1))
	}
	next := xdlms.ReadRequest{Accesses: []xdlms.VariableAccess{{Choice: xdlms.BlockNumberAccess, Block: 1}}}
	again, err := next.Append(nil)
	require.NoError(t, err)
	return lines(ask, part(1, false, whole[:9]), again, part(2, true, whole[9:]))
}

// refusals are APDUs without a frame, a line each.
func refusals(t testing.TB) []byte {
	t.Helper()
	return []byte(`
		6117A109060760857405080101A203020101A305A10302010D
		D80101
		D8010600000017
		0E010602
		C401C10102
		C701C10300
		C001C100030100010800FF0200
		C501C100
		10 00000001
		6200
		6303800100
		E7000111D80202
	`)
}

type golden struct {
	name string
	data []byte
	opt  Options
}

func goldens(t testing.TB) []golden {
	t.Helper()
	plain := func(id string) golden { return golden{name: id, data: captured(t, id).data} }
	keyed := func(name, id string, change func(o *Options)) golden {
		c := captured(t, id)
		o := c.options(t)
		change(&o)
		return golden{name, c.data, o}
	}
	key, authKey := unhexed(t, TestKey), unhexed(t, TestAuthKey)
	raw := plain("dp-raw-energomera")
	raw.opt.Raw = true
	named := plain("dp-hdlc-kaifa-ma304h3e")
	named.opt.Lists = []*push.List{{Elements: 13, Items: []push.Item{
		{Path: []int{2}, Code: obis.Code{0, 0, 96, 1, 0, 255}},
		{Path: []int{4}, Code: obis.Code{1, 0, 1, 7, 0, 255}, Unit: cosem.ScalerUnit{Unit: cosem.UnitWatt}, HasUnit: true},
		{Path: []int{8}, Code: obis.Code{1, 0, 31, 7, 0, 255}, Unit: cosem.ScalerUnit{Scaler: -3, Unit: cosem.UnitAmpere}, HasUnit: true},
	}}}
	return append([]golden{
		plain("amshan-hdlc-7d-7e-in-info"),
		plain("dp-hdlc-iskra550"),
		plain("dp-raw-egd-example"),
		plain("dp-mbus-netz-noe-p1"),
		raw, named,
		keyed("dp-mbus-netz-noe-p1-keys", "dp-mbus-netz-noe-p1", func(*Options) {}),
		keyed("dp-hdlc-kamstrup-omnipower-keys", "dp-hdlc-kamstrup-omnipower", func(*Options) {}),
		keyed("dp-hdlc-kamstrup-omnipower-no-auth-key", "dp-hdlc-kamstrup-omnipower", func(o *Options) { o.AuthKey = nil }),
		keyed("dp-hdlc-kamstrup-omnipower-wrong-key", "dp-hdlc-kamstrup-omnipower", func(o *Options) { o.Key[0]++ }),
		keyed("dp-hdlc-kamstrup-omnipower-wrong-auth-key", "dp-hdlc-kamstrup-omnipower", func(o *Options) { o.AuthKey[0]++ }),
		{name: "session-hdlc-low", data: recorded(t, "hdlc-low")},
		{name: "session-wrapper-blocks", data: recorded(t, "wrapper-blocks")},
		{name: "session-wrapper-list", data: recorded(t, "wrapper-list")},
		{name: "blocks", data: blockPush(t)},
		{name: "telegram", data: telegram()},
		{name: "readout", data: readout()},
		{name: "record", data: cipheredPoll(t, key, authKey), opt: Options{Key: key, AuthKey: authKey}},
		{name: "record-no-keys", data: cipheredPoll(t, key, authKey)},
		{name: "short-names", data: shortNames(t)},
		{name: "refusals", data: refusals(t)},
	}, generalGoldens(t)...)
}

func TestTree(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.name, func(t *testing.T) {
			got := tree(t, explained(t, g.data, g.opt))
			requireASCII(t, got)
			file := filepath.Join("testdata", g.name+".tree")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestComplete(t *testing.T) {
	for _, c := range captures(t) {
		t.Run(c.ID, func(t *testing.T) {
			r := explained(t, c.data, Options{})
			require.Equal(t, !c.Encrypted, r.Complete(), tree(t, r))
			if !c.Encrypted {
				return
			}
			require.Len(t, r.Missing, 1)
			require.Regexp(t, `^encryption key of system title [A-Z]{3} \d+ \([0-9A-F]{16}\): -key HEX$`, r.Missing[0])
			if c.GUEK != "" {
				r = explained(t, c.data, c.options(t))
				require.True(t, r.Complete(), tree(t, r))
			}
		})
	}
	require.False(t, explained(t, []byte("0102030405060708"), Options{}).Complete(), "nothing found")
	_, err := Explain(&Input{}, Options{AuthKey: make([]byte, 16)})
	require.Error(t, err)
	_, err = Explain(&Input{}, Options{Key: []byte("short")})
	require.ErrorContains(t, err, "5 octets")
	require.NotContains(t, err.Error(), "short")
}

// The dialogs recorded with real meters, where they are at hand.
func TestDialogs(t *testing.T) {
	folder := os.Getenv("DLMS_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared")
	}
	files, err := filepath.Glob(filepath.Join(folder, "dialogs", "*.json"))
	require.NoError(t, err)
	if len(files) == 0 {
		t.Skip("no recorded dialogs")
	}
	torn := []string{"dlg-echo-half-duplex", "dlg-norax-mode-c-not-e", "dlg-profile-blocks"}
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		c := capture{}
		require.NoError(t, json.Unmarshal(data, &c))
		r := explained(t, data, c.options(t))
		problems := 0
		for _, name := range torn {
			if c.ID == name {
				problems = 1
			}
		}
		require.Equal(t, problems, r.Problems, tree(t, r))
		require.Equal(t, problems == 0, r.Complete())
		require.NotContains(t, tree(t, r), "00000001 ", "a password")
	}
}

func TestJSON(t *testing.T) {
	c := captured(t, "dp-mbus-netz-noe-p1")
	var b bytes.Buffer
	require.NoError(t, explained(t, c.data, c.options(t)).WriteJSON(&b))
	var out struct {
		Octets, Frames, Messages, Problems int
		Complete                           bool
		Nodes                              []map[string]any
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &out))
	require.Equal(t, []int{282, 2, 1, 0}, []int{out.Octets, out.Frames, out.Messages, out.Problems})
	require.True(t, out.Complete)
	require.Equal(t, "M-Bus long frame", out.Nodes[0]["name"])
	require.Equal(t, 256.0, out.Nodes[0]["length"])
	require.Contains(t, b.String(), `"reading": {`)
	require.Regexp(t, `"obis": "1.0.32.7.0.255",\s+"attribute": 2,\s+"type": "long-unsigned",\s+"value": 233.7,\s+"unit": "V"`, b.String())

	b.Reset()
	require.NoError(t, explained(t, c.data, Options{}).WriteJSON(&b))
	require.Contains(t, b.String(), `"missing": [
    "encryption key of system title KFM 9 (4B464D6750000009): -key HEX"
  ],`)
	require.Contains(t, b.String(), `"complete": false`)
}

func TestWriteTreeWidthAndColour(t *testing.T) {
	r := explained(t, captured(t, "dp-hdlc-iskra550").data, Options{})
	var b strings.Builder
	require.NoError(t, r.WriteTree(&b, TreeOptions{Width: 60}))
	for line := range strings.Lines(b.String()) {
		require.LessOrEqual(t, len(line), 90, line)
	}
	b.Reset()
	require.NoError(t, r.WriteTree(&b, TreeOptions{Colour: func(c Colour, s string) string { return fmt.Sprintf("<%d>%s</>", c, s) }}))
	require.Contains(t, b.String(), "<1>1.0.32.7.0.255</>")
	require.Contains(t, b.String(), "<2>236.4 V</>")
}

func TestName(t *testing.T) {
	r := explained(t, captured(t, "dp-hdlc-iskra550").data, Options{Name: func(c obis.Code) string {
		if c == (obis.Code{1, 0, 1, 7, 0, 255}) {
			return "what the house takes"
		}
		return ""
	}})
	require.Contains(t, tree(t, r), "what the house takes")
	require.Contains(t, tree(t, r), "active power export")
}
