package dlms_test

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// spent is what something has cost.
type spent struct {
	octets uint64 // allocated, whether kept or not
	took   time.Duration
}

// spendWithin measures what f costs. It is done again if it took longer, for
// what another program has taken of the machine. Tests that measure must not
// run in parallel.
func spendWithin(most time.Duration, f func()) (s spent) {
	for range 3 {
		if s = spend(f); s.took < most {
			break
		}
	}
	return s
}

func spend(f func()) spent {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	return spent{after.TotalAlloc - before.TotalAlloc, took}
}

// parser is anything that takes octets of a peer. It reports whether they were
// what it parses.
type hostileParser struct {
	name  string
	parse func(b []byte) error
}

func ignoring[T any](parse func([]byte) (T, error)) func([]byte) error {
	return func(b []byte) error { _, err := parse(b); return err }
}

func cutting[T any](cut func([]byte) (T, []byte, error)) func([]byte) error {
	return func(b []byte) error { _, _, err := cut(b); return err }
}

// visit looks at all there is of a value.
func visit(d axdr.Data, depth int) (n int) {
	_ = d.String()
	_, _ = d.Float64()
	_, _ = d.Octets()
	if depth > 40 {
		return 1 << 30
	}
	for e := range d.All() {
		n += 1 + visit(e, depth+1)
	}
	return n
}

func parsers(t *testing.T) []hostileParser {
	keys, err := security.NewContext(securedKeys())
	require.NoError(t, err)
	list := []hostileParser{
		{"axdr.Cut", cutting(axdr.Cut)},
		{"axdr.Parse and all its elements", func(b []byte) error {
			d, err := axdr.Parse(b)
			if err == nil {
				visit(d, 0)
			}
			return err
		}},
		{"axdr.Data, not validated", func(b []byte) error { visit(axdr.Data(b), 0); return nil }},
		{"axdr.Expand", func(b []byte) error {
			d, err := axdr.Parse(b)
			if err == nil {
				_, err = axdr.Expand(nil, d, 1<<20)
			}
			return err
		}},
		{"axdr.Decoder", func(b []byte) error {
			var d axdr.Decoder
			d.Reset(b)
			for n := range d.Array() {
				if d.Skip(); d.Err() != nil || n > len(b) {
					break
				}
			}
			return d.Err()
		}},
		{"axdr.CutLength", func(b []byte) error { _, _, err := axdr.CutLength(b); return err }},
		{"cosem.ParseObject", func(b []byte) error { _, err := cosem.ParseObject(b); return err }},
		{"cosem.ParseCaptureObjects", func(b []byte) error { _, err := cosem.ParseCaptureObjects(b); return err }},
		{"cosem.ParseShortName", func(b []byte) error { _, err := cosem.ParseShortName(b); return err }},
		{"cosem.ParseScalerUnit", func(b []byte) error { _, err := cosem.ParseScalerUnit(b); return err }},
		{"xdlms.ParseGetRequest", ignoring(xdlms.ParseGetRequest)},
		{"xdlms.ParseGetResponse", ignoring(xdlms.ParseGetResponse)},
		{"xdlms.CutGetCount", cutting(xdlms.CutGetCount)},
		{"xdlms.CutGetResult", func(b []byte) error { _, _, _, err := xdlms.CutGetResult(b); return err }},
		{"xdlms.ParseReadRequest", ignoring(xdlms.ParseReadRequest)},
		{"xdlms.ParseReadResponse", func(b []byte) error { _, _, err := xdlms.ParseReadResponse(b); return err }},
		{"xdlms.CutReadCount", cutting(xdlms.CutReadCount)},
		{"xdlms.CutReadResult", cutting(xdlms.CutReadResult)},
		{"xdlms.ParseActionRequest", ignoring(xdlms.ParseActionRequest)},
		{"xdlms.ParseActionResponse", ignoring(xdlms.ParseActionResponse)},
		{"xdlms.ParseInitiateRequest", ignoring(xdlms.ParseInitiateRequest)},
		{"xdlms.ParseInitiateResponse", ignoring(xdlms.ParseInitiateResponse)},
		{"xdlms.ParseConfirmedServiceError", ignoring(xdlms.ParseConfirmedServiceError)},
		{"xdlms.ParseExceptionResponse", ignoring(xdlms.ParseExceptionResponse)},
		{"xdlms.ParseDataNotification", ignoring(xdlms.ParseDataNotification)},
		{"xdlms.ParseEventNotification", ignoring(xdlms.ParseEventNotification)},
		{"xdlms.ParseInformationReport", ignoring(xdlms.ParseInformationReport)},
		{"xdlms.CutCiphered", cutting(xdlms.CutCiphered)},
		{"xdlms.CutGeneralBlock", cutting(xdlms.CutGeneralBlock)},
		{"xdlms.CutGateway", func(b []byte) error { _, _, _, err := xdlms.CutGateway(b, xdlms.TagGatewayResponse); return err }},
		{"acse.ParseAARE", ignoring(acse.ParseAARE)},
		{"acse.ParseAARQ", ignoring(acse.ParseAARQ)},
		{"acse.ParseRLRE", ignoring(acse.ParseRLRE)},
		{"acse.ParseRLRQ", ignoring(acse.ParseRLRQ)},
	}
	return append(list, carriers(keys)...)
}

// carriers are the parsers of what is around APDUs, and those that join them.
func carriers(keys *security.Context) []hostileParser {
	return []hostileParser{
		{"hdlc.CutFrame", cutting(hdlc.CutFrame)},
		{"hdlc.ParseParameters", ignoring(hdlc.ParseParameters)},
		{"wrapper.Cut", func(b []byte) error { _, _, _, err := wrapper.Cut(b); return err }},
		{"mbus.CutFrame", cutting(mbus.CutFrame)},
		{"iec62056.CutTelegram", cutting(iec62056.CutTelegram)},
		{"iec62056.CutIdentification", cutting(iec62056.CutIdentification)},
		{"push.Valid", func(b []byte) error { push.Valid(b); return nil }},
		{"push.Length", func(b []byte) error { push.Length(b); return nil }},
		{"push.Mapper", func(b []byte) error {
			_, err := new(push.Mapper).Map(b, func(*push.Entry) bool { return true })
			return err
		}},
		{"security.Context", func(b []byte) error {
			_, err := keys.Open(nil, []byte("MMM\x00\x00\xBC\x61\x4E"), b, dlms.Plausible)
			return err
		}},
		{"dlms.APDULength", func(b []byte) error { dlms.APDULength(b); return nil }},
		{"dlms.Plausible", func(b []byte) error { dlms.Plausible(b); return nil }},
		{"dlms.Unwrapper", func(b []byte) error {
			u := dlms.Unwrapper{Open: func(dst []byte, c xdlms.Ciphered) ([]byte, error) {
				return keys.Open(dst, []byte("MMM\x00\x00\xBC\x61\x4E"), c.Protected, dlms.Plausible)
			}}
			_, err := u.Unwrap(dlms.Message{APDU: b})
			return err
		}},
		{"dlms.Deframer", func(b []byte) error { return deframe(dlms.DeframerConfig{}, b, 4096) }},
		{"dlms.Deframer on a line", func(b []byte) error { return deframe(dlms.DeframerConfig{Line: true}, b, 4096) }},
	}
}

// deframe gives octets to a Deframer, so many at once.
func deframe(cfg dlms.DeframerConfig, b []byte, chunk int) error {
	d, u := dlms.NewDeframer(cfg), &dlms.Unwrapper{}
	drain := func() {
		for m, ok := d.Next(); ok; m, ok = d.Next() {
			if m.Text == nil && len(m.APDU) > 0 {
				_, _ = u.Unwrap(m)
			}
		}
	}
	for len(b) > 0 {
		n := min(chunk, len(b))
		d.Write(b[:n])
		b = b[n:]
		drain()
	}
	return nil
}

// heads are what stands in front of the data in APDUs and frames; every attack
// is tried alone and behind each of them, as a value or as a length.
func heads() map[string][]byte {
	return map[string][]byte{
		"alone":                 nil,
		"get-response":          mustBytes("C401C100"),
		"get-response, list":    mustBytes("C403C1"),
		"get-response, block":   mustBytes("C402C1000000000100"),
		"get-request, list":     mustBytes("C003C1"),
		"read-response":         mustBytes("0C"),
		"read-response, data":   mustBytes("0C0100"),
		"read-request":          mustBytes("05"),
		"action-response":       mustBytes("C701C1000100"),
		"data-notification":     mustBytes("0F0000000100"),
		"data-notification, at": mustBytes("0F00000001"),
		"event-notification":    mustBytes("C20000010100010800FF02"),
		"information-report":    mustBytes("1800"),
		"access-response":       mustBytes("DA0000000000"),
		"block":                 mustBytes("E0800001 0000"),
		"block in blocks":       mustBytes("E080000100008203E8E08000010000"),
		"general-glo":           mustBytes("DB"),
		"general-glo, title":    mustBytes("DB084D4D4D0000BC614E"),
		"general-ciphering":     mustBytes("DD"),
		"glo-get-response":      mustBytes("CC"),
		"gateway":               mustBytes("E700"),
		"AARE":                  mustBytes("61"),
		"AARE, user":            mustBytes("61 30 A109060760857405080101A203020100A305A103020100BE"),
		"AARQ":                  mustBytes("60"),
		"RLRE":                  mustBytes("63"),
		"UA":                    mustBytes("8180"),
		"wrapper":               mustBytes("0001000100100400"),
		"wrapper, longest":      mustBytes("000100010010FFFF"),
		"HDLC":                  mustBytes("7EA7FF0321"),
		"M-Bus":                 mustBytes("68FAFA6853FF000167"),
		"telegram":              []byte("/AAA5x\r\n\r\n"),
	}
}

func mustBytes(s string) []byte {
	var b []byte
	for _, digits := range bytes.Fields([]byte(s)) {
		for i := 0; i+1 < len(digits); i += 2 {
			var c byte
			_, _ = fmt.Sscanf(string(digits[i:i+2]), "%02X", &c)
			b = append(b, c)
		}
	}
	return b
}

// attacks are what a peer may send to fill memory, stack or time. Small ones
// promise much; large ones are of up to 4 MiB.
func attacks() map[string][]byte {
	large := 1 << 17
	if raceEnabled { // one goroutine: the detector sees no more in the long ones
		large >>= 4
	}
	lengths := map[string][]byte{
		"array of 4 G elements":         mustBytes("0184FFFFFFFF"),
		"structure of 4 G elements":     mustBytes("0284FFFFFFFF"),
		"compact-array of 4 G elements": mustBytes("130084FFFFFFFF"),
		"array of 2 G elements":         mustBytes("01847FFFFFFF"),
		"bit-string of 4 G bits":        mustBytes("0484FFFFFFFF"),
		"octet-string of 4 G octets":    mustBytes("0984FFFFFFFF41"),
		"text of 2 G octets":            mustBytes("0C847FFFFFFF41"),
		"length of 5 octets":            mustBytes("0985010000000041"),
		"length of 8 octets":            mustBytes("0988FFFFFFFFFFFFFFFF41"),
		"length of 8 octets, sign":      mustBytes("09888000000000000000 41"),
		"length of 127 octets":          append(mustBytes("09FF"), bytes.Repeat([]byte{0xFF}, 127)...),
		"length without end":            mustBytes("0980"),
		"title of 255 octets":           append([]byte{0xFF}, bytes.Repeat([]byte{'A'}, 300)...),
		"title of 4 G octets":           mustBytes("84FFFFFFFF 41"),
		"compact-array of nothing":      mustBytes("13 0200 84FFFFFFFF"),
		"compact-array of arrays":       mustBytes("13 01FFFF01FFFF01FFFF00 84FFFFFFFF"),
	}
	for name, n := range map[string]string{
		"count of 4 G": "84FFFFFFFF", "count of 2 G": "847FFFFFFF", "count of 64 K": "82FFFF", "count of 8 octets": "88FFFFFFFFFFFFFFFF", "count, sign": "8880000000000000 00",
	} {
		lengths[name] = mustBytes(n)
	}
	for name, unit := range map[string][]byte{
		"arrays in each other": {1, 1}, "structures in each other": {2, 1}, "wide structures in each other": {2, 2}, "compact-arrays in each other": {0x13, 1, 0, 1},
		"types in each other": {1, 0, 1}, "values": {0x11, 7}, "nulls": {0}, "flags": {0x7E}, "starts": {0x68}, "slashes": {'/'}, "BER in BER": {0xBE, 0x80},
		"BER sequences": {0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF}, "blocks in blocks": {0xE0, 0x80, 0, 1, 0, 0, 0x83, 0x0F, 0xFF, 0xFF}, "ciphers in ciphers": {0xDB, 0, 0x83, 0x0F, 0xFF, 0xFF, 0, 0, 0, 0, 1},
		"FF": {0xFF}, "lines": []byte("1.8.0(1*kWh)\r\n"),
	} {
		lengths[name] = bytes.Repeat(unit, large/len(unit))
	}
	// 4 MiB, as killed another decoder, whose stack grew to 1 GB.
	lengths["arrays in each other, 4 MiB"] = bytes.Repeat([]byte{1, 1}, 16*large)
	lengths["type descriptions in each other, 4 MiB"] = append([]byte{0x13}, bytes.Repeat([]byte{2, 1}, 16*large)...)
	return lengths
}

// TestHostileOctets gives every attack to every parser: none may allocate more
// than the octets justify, recurse, or take long. Rows of "what a hostile peer
// can do" in docs/security.md: element counts, nesting, titles, length forms.
func TestHostileOctets(t *testing.T) {
	if testing.Short() {
		t.Skip("mebibytes")
	}
	// A stack that grows with the input is found here, as a crash: 1 MiB is
	// 40 times what 32 levels take.
	defer debug.SetMaxStack(debug.SetMaxStack(1 << 20))
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	const longest = 20 * time.Second
	list, tried := parsers(t), 0
	for attack, b := range attacks() {
		t.Run(attack, func(t *testing.T) {
			for where, head := range heads() {
				if len(b) > 1<<12 && where != "alone" && where != "data-notification" && where != "get-response" && where != "wrapper, longest" {
					continue // what is large is not tried everywhere
				}
				input := append(append([]byte(nil), head...), b...)
				for _, p := range list {
					cost := spendWithin(longest, func() { _ = p.parse(input) })
					// All that is allocated, kept or not: a few kilobytes, and an
					// error for each octet where nothing begins.
					most := uint64(256<<10 + 64*len(input))
					require.LessOrEqual(t, cost.octets, most, "%s: %s behind %s: octets allocated", p.name, attack, where)
					require.Less(t, cost.took, longest, "%s: %s behind %s", p.name, attack, where)
					tried++
				}
			}
		})
	}
	require.Greater(t, tried, 30_000)
}
