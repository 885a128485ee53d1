package dlms_cosem

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// patternItems is how many registers a pattern has; with their scalers they do
// not fit one frame of 128 octets.
const patternItems = 14

// patternValue is the value of the register with the E group k: none can be
// taken for another, for zero, or for a part of another.
func patternValue(k int) uint32 { return 0x5A000000 + uint32(k)*0x00010307 }

// pattern is a meter of registers whose values nobody can mistake.
type pattern struct{}

func (pattern) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	k := int(at.Instance[4])
	if at.Class != cosem.Register || k < 1 || k > patternItems {
		return b, xdlms.ObjectUndefined
	}
	switch at.ID {
	case 2:
		return axdr.AppendDoubleLongUnsigned(b, patternValue(k)), xdlms.Success
	case 3:
		return cosem.ScalerUnit{Scaler: int8(-(k % 3)), Unit: cosem.UnitWattHour}.Append(b), xdlms.Success
	default:
		return b, xdlms.ObjectUndefined
	}
}

// patternConf is a configuration of two requests on one link: b comes after a,
// and reads another association of the same line.
func patternConf(framing, more string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[inputs.dlms_cosem]]\nendpoint = \"tcp://10.0.0.5:4059\"\nframing = %q\n%s\n", framing, more)
	for _, request := range []string{"name = \"a\"\nclient_address = 16\n", "name = \"b\"\nclient_address = 17\n"} {
		b.WriteString("[[inputs.dlms_cosem.request]]\n" + request)
		if framing == "hdlc" {
			fmt.Fprintf(&b, "physical_address = %d\n", 17+strings.Count(request, "\"b\""))
		}
		for k := 1; k <= patternItems; k++ {
			fmt.Fprintf(&b, "[[inputs.dlms_cosem.request.item]]\nname = \"v%d\"\nobis = \"1.0.1.8.%d.255\"\n", k, k)
		}
	}
	return b.String()
}

func patternMeter(framing string, f *dlmstest.Faults) *dlmstest.Meter {
	none := dlmstest.Client{Mechanism: acse.None}
	return dlmstest.NewMeter(dlmstest.Config{Framing: framing, Faults: f,
		Clients: map[uint16]dlmstest.Client{16: none, 17: none}}, pattern{})
}

// requirePattern has each value be the right one of its register, with its unit.
func requirePattern(t *testing.T, points []point) {
	t.Helper()
	for _, p := range points {
		var k int
		_, err := fmt.Sscanf(p.tags["name"], "v%d", &k)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"value": cosem.Scale(float64(patternValue(k)), -(k % 3))}, p.fields, "a wrong value: %s", p)
		require.Equal(t, "Wh", p.tags["unit"])
		require.Equal(t, fmt.Sprintf("1.0.1.8.%d.255", k), p.tags["obis"])
	}
}

// hostileRun is what requests a and b brought, a's meter being hostile.
type hostileRun struct {
	result string
	values int
	took   time.Duration // by a's run
	errs   []string
}

// runHostile runs request a on a hostile meter and request b behind it on a good
// one, and requires what holds whatever a's meter does: one status each, no
// wrong value, and b on time and complete. A connection that is kept for b
// breaks in between, unless keep is set: then b is read over it, if it is kept.
func runHostile(t *testing.T, framing string, hostile *host, keep bool) hostileRun {
	t.Helper()
	n := newNetwork(t)
	n.set("", hostile)
	d, _ := plugin(t, n, patternConf(framing, ""))
	require.NoError(t, d.Init())
	var ended time.Time
	d.OnRun = func(r Run) {
		if r.Request == "a" {
			ended = time.Now()
			n.set("", &host{meter: patternMeter(framing, nil)})
			if !keep {
				n.cut()
			}
		}
	}
	acc := &sink{}
	start := time.Now()
	_, err := d.RunOnce(context.Background(), acc, "")
	require.NoError(t, err)
	took := ended.Sub(start)

	require.Equal(t, []string{"success"}, acc.results("request", "b"), "%v", acc.errors())
	require.WithinDuration(t, ended, time.Now(), time.Second, "the next request is on time")
	b := acc.values("meter", "b")
	require.Len(t, b, patternItems)
	requirePattern(t, b)

	results := acc.results("request", "a")
	require.Len(t, results, 1, "one status for one run")
	a := acc.values("meter", "a")
	requirePattern(t, a)
	for _, p := range acc.all() {
		if p.measurement != statusMeasurement || p.tags["request"] != "a" {
			continue
		}
		require.Equal(t, int64(len(a)), p.fields["items_ok"])
		require.Equal(t, int64(patternItems-len(a)), p.fields["items_failed"])
		require.InDelta(t, took.Seconds(), p.fields["duration"], 0.001)
	}
	if results[0] == "success" {
		require.Empty(t, acc.errors())
		require.Len(t, a, patternItems)
	} else {
		require.NotEmpty(t, acc.errors(), "a failure has its reason")
	}
	return hostileRun{result: results[0], values: len(a), took: took, errs: acc.errors()}
}

// toGet is a meter that answers all requests for attributes by octets, given in
// hexadecimal; II is the request's invoke-id.
func toGet(reply string) *dlmstest.Faults { return answerTo(xdlms.TagGetRequest, reply) }

// toAARQ is one that answers a login so.
func toAARQ(reply string) *dlmstest.Faults { return answerTo(xdlms.TagAARQ, reply) }

func answerTo(tag xdlms.APDUTag, reply string) *dlmstest.Faults {
	reply = strings.ReplaceAll(reply, " ", "")
	return &dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) {
		if apdu[0] != byte(tag) {
			return nil, false
		}
		b, err := hex.DecodeString(strings.ReplaceAll(reply, "II", fmt.Sprintf("%02X", apdu[2])))
		return b, err == nil
	}}
}

// hostile is a fault and what becomes of it.
type hostile struct {
	name    string
	faults  *dlmstest.Faults
	wrapper string // result; "" if it does not concern that framing
	hdlc    string
	want    string // in the first error, where there is one
	keep    bool   // the fault ends by itself
}

func hostiles() []hostile {
	const broken = "breaks the rules of DLMS/COSEM"
	late := func(n int, by time.Duration) *dlmstest.Faults {
		return &dlmstest.Faults{LateAnswers: n, LateBy: by}
	}
	return []hostile{
		{"noise", &dlmstest.Faults{Noise: []byte("\x00\xFF\x7E\x7E\xA0noise")}, "protocol", "success", "saw neither wrapper nor HDLC", false},
		{"noise from the start", &dlmstest.Faults{FromAssociation: true, Noise: bytes.Repeat([]byte{0x55}, 300)}, "protocol", "success", "this is no meter", false},
		{"truncated", &dlmstest.Faults{TruncateFrames: -1}, "timeout", "timeout", "no whole message among them", false},
		{"truncated from the start", &dlmstest.Faults{FromAssociation: true, TruncateFrames: -1}, "timeout", "timeout", "AARQ: no answer within", false},
		{"wrong FCS", &dlmstest.Faults{WrongFCS: -1}, "", "timeout", "3 broken frames: frames arrive damaged", false},
		{"wrong FCS once", &dlmstest.Faults{WrongFCS: 1}, "", "success", "", true},
		{"length of a value", &dlmstest.Faults{LongValue: -1}, "protocol", "protocol", "octet-string is cut short: unexpected EOF: the meter's answer " + broken, false},
		{"length of a string", toGet("C4 01 II 00 09 84 7FFFFFFF 41"), "protocol", "protocol", broken, false},
		{"count of a list", &dlmstest.Faults{LongCount: -1}, "success", "success", "", false},
		{"count of a list is short", &dlmstest.Faults{ShortLists: -1}, "success", "success", "", false},
		{"count of a list is 0", toGet("C4 03 II 00"), "protocol", "protocol", broken, false},
		{"count of a list is huge", toGet("C4 03 II 84 FFFFFFFF 00 06 00000001"), "protocol", "protocol", broken, false},
		{"count of an array", toGet("C4 01 II 00 01 84 7FFFFFFF"), "protocol", "protocol", broken, false},
		{"single form", &dlmstest.Faults{SingleForm: -1}, "success", "success", "", false},
		{"nested arrays", &dlmstest.Faults{NestedArrays: 10000}, "protocol", "protocol", "nested more than 32 deep", false},
		{"endless blocks", &dlmstest.Faults{EndlessBlocks: true}, "protocol", "protocol", "the blocks hold more than 1048576 octets", false},
		{"false block numbers", &dlmstest.Faults{WrongBlock: -1, EndlessBlocks: true}, "protocol", "protocol", "the first block has number", false},
		{"the same block always", toGet("C4 02 II 00 00000001 00 05 06 00000001"), "protocol", "protocol", "expected block 2, got block 1", false},
		{"length of a block", toGet("C4 02 II 00 00000001 00 84 7FFFFFFF 00"), "protocol", "protocol", broken, false},
		{"another invoke-id", &dlmstest.Faults{WrongInvokeID: -1}, "timeout", "timeout", "other requests", false},
		{"another invoke-id once", &dlmstest.Faults{WrongInvokeID: 1}, "success", "success", "", true},
		{"another priority", &dlmstest.Faults{WrongPriority: true}, "success", "success", "", false},
		{"answers after their timeout", late(-1, 6*time.Second), "timeout", "success", "other requests", true},
		{"an answer after its timeout", late(1, 6*time.Second), "success", "success", "", true},
		{"an answer in the next request", late(1, 15100*time.Millisecond), "success", "timeout", "no answer within", true},
		{"old answers first", &dlmstest.Faults{StaleAnswers: -1}, "success", "", "", false},
		{"answers twice", &dlmstest.Faults{RepeatAnswers: -1}, "success", "success", "", true},
		{"answers lost", &dlmstest.Faults{LoseAnswers: -1}, "timeout", "timeout", "nothing was received: the meter fell silent", false},
		{"an answer lost", &dlmstest.Faults{LoseAnswers: 1}, "success", "success", "", true},
		{"requests ignored", &dlmstest.Faults{IgnoreRequests: -1}, "timeout", "timeout", "no answer within", false},
		{"silence", &dlmstest.Faults{IgnoreSNRM: -1, FromAssociation: true, IgnoreRequests: -1}, "timeout", "timeout", "no answer within", false},
		{"DM", &dlmstest.Faults{DMOnSNRM: 3}, "", "busy", "end the other client, or wait", true},
		{"DM to a request", &dlmstest.Faults{DMOnRequest: -1}, "", "busy", "the meter is disconnected (DM)", false},
		{"FRMR to a request", &dlmstest.Faults{FRMROnRequest: -1}, "", "protocol", "the meter did not understand a frame", false},
		{"RNR to a request", &dlmstest.Faults{RNROnRequest: -1}, "", "success", "", false},
		{"connection closed", &dlmstest.Faults{CloseOnRequest: -1}, "connect", "connect", "is another client connected?", false},
		{"temporary failures", &dlmstest.Faults{TemporaryErrors: -1}, "access", "access", "temporary-failure (data-access-result 2)", false},
		{"AARE garbage", toAARQ("61 FF FF FF"), "protocol", "protocol", "61FFFFFF", true},
		{"AARE cut short", toAARQ("61 29 A1 09 06 07 60 85"), "protocol", "protocol", "unexpected EOF: this is no answer to a login", true},
		{"AARE empty", toAARQ("61 00"), "protocol", "protocol", "AARE without a result", true},
		{"AARQ for an answer", toAARQ("60 1D A1 09 06 07 60 85 74 05 08 01 01 BE 10 04 0E 01 00 00 00 06 5F 1F 04 00 00 1E 1D FF FF"), "protocol", "protocol", "expected an AARE", true},
		{"exception to the login", toAARQ("D8 01 01"), "refused", "refused", "exception-response", true},
		{"service error to the login", toAARQ("0E 01 06 03"), "refused", "refused", "pdu-size-too-short", false},
		{"value to the login", toAARQ("C4 01 C1 00 05 00000001"), "timeout", "timeout", "AARQ: no answer within", false},
		{"null", toGet("C4 01 II 00 00"), "access", "access", "the meter has no value for it (null-data): it may have one later", false},
		{"number for a scaler", toGet("C4 01 II 00 06 DEADBEEF"), "protocol", "protocol", "not its scaler and unit", false},
		{"trailing octets", toGet("C4 01 II 00 06 00000001 00 00"), "protocol", "protocol", "octets left over: 2", false},
		{"unknown choice", toGet("C4 01 II 07 06 00000001"), "protocol", "protocol", broken, false},
		{"unknown form", toGet("C4 07 II 00 06 00000001"), "protocol", "protocol", broken, false},
		{"tag alone", toGet("C4"), "protocol", "protocol", broken, false},
		{"ciphered answer", toGet("CC 0A 30 00000001 0102030405"), "protocol", "protocol", "got glo-get-response", false},
		{"association lost", toGet("D8 01 01"), "refused", "refused", "the next run logs in again", false},
		{"too long for the PDU", toGet("D8 02 04"), "refused", "refused", "read fewer or smaller items", false},
		{"ciphering wanted", toGet("D8 02 06 00000001"), "refused", "refused", "the meter wants ciphered messages", false},
		{"service error", toGet("0E 05 00 01"), "refused", "refused", "the meter does not take this request", false},
		{"notifications only", toGet("0F 00000000 00 02 01 06 DEADBEEF"), "timeout", "timeout", "other requests", false},
	}
}

// TestHostileMeters has meters, or what is in between, do all that no meter
// should.
func TestHostileMeters(t *testing.T) {
	for _, c := range hostiles() {
		for framing, result := range map[string]string{"wrapper": c.wrapper, "hdlc": c.hdlc} {
			if result == "" {
				continue
			}
			t.Run(c.name+"/"+framing, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					g := runHostile(t, framing, &host{meter: patternMeter(framing, c.faults)}, c.keep)
					require.Equal(t, result, g.result, "%v", g.errs)
					require.LessOrEqual(t, g.took, 31*time.Second, "timeout, and the farewell")
					if result != "partial" && result != "success" {
						require.Zero(t, g.values)
					}
					if result != "success" {
						require.Contains(t, g.errs[0], c.want)
					}
				})
			})
		}
	}
}

// TestConnectionFaults cuts, tears, loses or garbles each message of a run in
// turn, in both directions.
func TestConnectionFaults(t *testing.T) {
	kinds := map[string]fault.Fault{
		"close":     {Close: true},
		"half":      {Close: true, After: 9},
		"drop":      {Drop: true},
		"silence":   {Silence: true},
		"torn":      {Torn: 3, Gap: 20 * time.Millisecond},
		"duplicate": {Duplicate: 2},
		"late":      {Delay: 6 * time.Second},
		"noise":     {Noise: []byte{0x7E, 0xA0, 0x55, 0, 1}},
	}
	for _, framing := range []string{"wrapper", "hdlc"} {
		for kind, f := range kinds {
			for _, read := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/read=%v", framing, kind, read), func(t *testing.T) {
					for n := 1; n <= 6; n++ {
						f.Message = n
						plan := fault.Plan{Write: []fault.Fault{f}}
						if read {
							plan = fault.Plan{Read: []fault.Fault{f}}
						}
						synctest.Test(t, func(t *testing.T) {
							g := runHostile(t, framing, &host{meter: patternMeter(framing, nil), plan: plan}, false)
							require.LessOrEqual(t, g.took, 31*time.Second)
							if kind == "torn" || kind == "duplicate" {
								require.Equal(t, "success", g.result, "message %d: %v", n, g.errs)
							}
						})
					}
				})
			}
		}
	}
}

// TestGarbledFrames inverts each octet of each frame: the check sequences let no
// wrong value through, and the run recovers.
func TestGarbledFrames(t *testing.T) {
	for message := 1; message <= 4; message++ { // UA, AARE, the list, UA
		for offset := 0; offset < 120; offset += 7 {
			for _, mask := range []byte{0x01, 0xFF} {
				plan := fault.Plan{Read: []fault.Fault{{Message: message, Corrupt: []int{offset}, Mask: mask}}}
				synctest.Test(t, func(t *testing.T) {
					g := runHostile(t, "hdlc", &host{meter: patternMeter("hdlc", nil), plan: plan}, true)
					require.Equal(t, "success", g.result, "message %d, octet %d: %v", message, offset, g.errs)
				})
			}
		}
	}
}

// TestFloods has peers that never stop to talk: the login ends with its time,
// and the next request has its turn.
func TestFloods(t *testing.T) {
	for name, flood := range map[string]string{
		"zeros":         strings.Repeat("00", 64),
		"flags":         strings.Repeat("7E", 64),
		"text":          hex.EncodeToString([]byte("hello, this is no meter\r\n")),
		"endless frame": "7EA7FF0321" + strings.Repeat("55", 60),
		"endless APDU":  "0001000100100000FFFF" + strings.Repeat("55", 54),
		"notifications": "000100010010000C0F00000000000201060000002A",
		"another meter": "0001000500200002D801",
	} {
		for _, framing := range []string{"wrapper", "hdlc"} {
			t.Run(name+"/"+framing, func(t *testing.T) {
				b, err := hex.DecodeString(flood)
				require.NoError(t, err)
				synctest.Test(t, func(t *testing.T) {
					g := runHostile(t, framing, &host{mute: true, flood: b}, false)
					require.Contains(t, []string{"timeout", "protocol"}, g.result)
					require.Zero(t, g.values)
					require.LessOrEqual(t, g.took, 31*time.Second)
					require.NotEmpty(t, g.errs[0])
				})
			})
		}
	}
}
