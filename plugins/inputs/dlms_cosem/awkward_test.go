package dlms_cosem

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// awkwardConf reads all that the awkward meter has.
func awkwardConf(framing, keys, request string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[inputs.dlms_cosem]]\nendpoint = \"tcp://10.0.0.5:7000\"\nframing = %q\nmeter_timezone = \"UTC\"\n%s\n[[inputs.dlms_cosem.request]]\nname = \"a\"\n%s\n", framing, keys, request)
	for n := range 10 {
		fmt.Fprintf(&b, "[[inputs.dlms_cosem.request.item]]\nname = \"v%d\"\nobis = \"1.0.1.8.%d.255\"\n", n, n)
	}
	b.WriteString("[[inputs.dlms_cosem.request.item]]\nname = \"clock\"\nobis = \"0.0.1.0.0.255\"\n")
	return b.String()
}

// TestAwkwardMeter has every schedule and way to keep a connection meet a meter
// that is awkward in many ways, and is replaced by another one now and then.
func TestAwkwardMeter(t *testing.T) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		for _, info := range []int{62, 128} {
			for _, keep := range []string{"auto", "always", "never"} {
				for name, request := range map[string]string{
					"polling": "method = \"polling\"\ninterval = \"20s\"",
					"cron":    "method = \"cron\"\ncron = \"*/20 * * * * *\"",
					"wide":    "method = \"polling\"\ninterval = \"20s\"\nlayout = \"wide\"",
				} {
					t.Run(fmt.Sprint(framing, info, keep, name), func(t *testing.T) {
						c := awkwardConf(framing, "keep_open = \""+keep+"\"", request)
						bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
							o := dlmstest.NewAwkward()
							n.set("", &host{meter: dlmstest.NewMeter(dlmstest.AwkwardConfig(framing, info), o)})
							require.NoError(t, d.Start(acc))
							for range 6 { // in the middle of a run, and between two
								later(51300 * time.Millisecond)
								n.cut()
								o.Replace()
							}
							later(time.Minute)
							if name == "wide" {
								requireAwkwardWide(t, acc)
								return
							}
							requireAwkward(t, acc)
							require.LessOrEqual(t, o.Asked(cosem.Attribute{Class: cosem.Register, Instance: dlmstest.AwkwardDemand, ID: 2}), 2*7,
								"the class is found once per meter")
						})
					})
				}
			}
		}
	}
}

func awkwardTruth(t *testing.T, name string) float64 {
	var k int
	_, err := fmt.Sscanf(name, "v%d", &k)
	require.NoError(t, err)
	return dlmstest.AwkwardValue(obis.Code{1, 0, 1, 8, byte(k), 255})
}

func requireAwkward(t *testing.T, acc *sink) {
	t.Helper()
	seen := map[string]int{}
	for _, p := range acc.values() {
		name := p.tags["name"]
		seen[name]++
		if name == "clock" {
			require.Equal(t, map[string]any{"text": "2000-01-01T01:00:00", "value": 946688400.0}, p.fields, "no offset in the text")
			continue
		}
		require.Equal(t, map[string]any{"value": awkwardTruth(t, name)}, p.fields, "a wrong value: %s", p)
		if name == "v0" {
			require.Equal(t, []string{"4", "W"}, []string{p.tags["class"], p.tags["unit"]}, "a demand in truth")
		} else {
			require.Equal(t, "Wh", p.tags["unit"])
		}
	}
	require.Zero(t, seen["v9"], "its scaler is denied")
	for n := range 9 {
		require.GreaterOrEqual(t, seen[fmt.Sprintf("v%d", n)], 10, "%v", seen)
	}
	require.GreaterOrEqual(t, seen["clock"], 10)
}

func requireAwkwardWide(t *testing.T, acc *sink) {
	t.Helper()
	metrics := 0
	for _, p := range acc.all() {
		if p.measurement != wideMeasurement {
			continue
		}
		metrics++
		for field, v := range p.fields {
			switch field {
			case "clock", "clock_text":
			default:
				require.Equal(t, awkwardTruth(t, field), v, "a wrong value: %s", p)
			}
		}
		require.NotContains(t, p.fields, "v9")
	}
	require.GreaterOrEqual(t, metrics, 10)
}
