package dlms_cosem

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run is a status metric in short.
type statusRun struct {
	result string
	at     time.Duration // since the start
	took   time.Duration
}

func runsOf(acc *sink, start time.Time, tags ...string) (list []statusRun) {
	for _, p := range acc.all() {
		if p.measurement == statusMeasurement && p.has(tags...) {
			list = append(list, statusRun{p.tags["result"], p.at.Sub(start), time.Duration(p.fields["duration"].(float64) * float64(time.Second))})
		}
	}
	return list
}

func attempts(list []statusRun) (tried []statusRun) {
	for _, r := range list {
		if r.result != "backoff" {
			tried = append(tried, r)
		}
	}
	return tried
}

// TestDeadMeterCost has exact times: the first failure costs what the settings
// say, the next a short attempt, then there is one after 1, 2, 5 and 10 minutes.
func TestDeadMeterCost(t *testing.T) {
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18]\nreply_timeout = \"2s\"\nretries = 0", "name = \"a\"\nmethod = \"polling\"\ninterval = \"10s\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "18"))})
		start := time.Now()
		require.NoError(t, d.Start(acc))
		later(50*time.Minute - time.Second)
		var tried []string
		for _, r := range attempts(runsOf(acc, start, "address", "17")) {
			tried = append(tried, fmt.Sprintf("%s %s %s", r.at, r.result, r.took))
		}
		require.Equal(t, []string{
			"0s timeout 5s", // SNRM, DISC (1 s), SNRM
			"10s timeout 1.5s",
			"1m20s timeout 1.5s",
			"3m30s timeout 1.5s",
			"8m40s timeout 1.5s",
			"18m50s timeout 2s", // the whole reply timeout from here on
			"29m0s timeout 2s",
			"39m10s timeout 2s",
			"49m20s timeout 2s",
		}, tried)
		require.Len(t, runsOf(acc, start, "address", "17"), 300, "a status for each due run")
		require.Len(t, acc.values("address", "18"), 300, "the other misses none")
		for i, r := range runsOf(acc, start, "address", "18") {
			require.Less(t, r.at-time.Duration(i)*10*time.Second, 5*time.Second+time.Millisecond)
		}
	})
}

// TestPlainSNRMIsFoundAgain has a meter that does not answer the first form of
// SNRM: after a failure its short attempts must not end before the second.
func TestPlainSNRMIsFoundAgain(t *testing.T) {
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18]", "name = \"a\"\nmethod = \"polling\"\ninterval = \"1m\"")
	odd := "[faults]\nignore_snrm_parameters = true\n" + fmt.Sprintf(hdlcMeter, "17, 18")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		m := &host{meter: meter(t, odd)}
		n.set("", m)
		require.NoError(t, d.Start(acc))
		later(5 * time.Minute)
		require.NotEmpty(t, acc.values("address", "17"))
		n.set("", nil)
		later(time.Hour)
		n.set("", m)
		before := len(acc.values("address", "17"))
		later(25 * time.Minute)
		require.Greater(t, len(acc.values("address", "17")), before, "%v", acc.results("address", "17"))
		require.Equal(t, "success", acc.results("address", "18")[len(acc.results("address", "18"))-1])
	})
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		require.NoError(t, d.Start(acc)) // away from the start
		later(time.Hour)
		n.set("", &host{meter: meter(t, odd)})
		later(25 * time.Minute)
		require.NotEmpty(t, acc.values("address", "17"))
	})
}

// TestReopenedOnce has a connection that is closed as soon as it is used: one
// that was kept is replaced once, not for ever.
func TestReopenedOnce(t *testing.T) {
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18]", "name = \"a\"\nmethod = \"polling\"\ninterval = \"10s\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "17, 18"))})
		d.OnRun = func(r Run) {
			if r.Address == "17" {
				n.set("", &host{meter: meter(t, strings.Replace(fmt.Sprintf(hdlcMeter, "18"), "[server]\n", "[faults]\nclose_on_request = true\nfrom_association = true\n[server]\n", 1))})
				n.cut()
			}
		}
		require.NoError(t, d.Start(acc))
		later(5 * time.Second)
		require.Equal(t, []string{"success"}, acc.results("address", "17"))
		require.Equal(t, []string{"connect"}, acc.results("address", "18"))
		require.Equal(t, 2, n.dialed())
	})
}

// TestOnceAmongPolls has a once request that fails beside polls of the same and
// of another link: neither waits for it.
func TestOnceAmongPolls(t *testing.T) {
	c := conf("framing = \"hdlc\"",
		"name = \"once\"\nendpoint = \"tcp://10.0.0.5:7000\"\nphysical_address = 17\nmethod = \"once\"",
		"name = \"poll\"\nendpoint = \"tcp://10.0.0.5:7000\"\nphysical_address = 18\nmethod = \"polling\"\ninterval = \"30s\"",
		"name = \"other\"\nendpoint = \"tcp://10.0.0.6:7000\"\nmethod = \"polling\"\ninterval = \"1s\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("tcp://10.0.0.5:7000", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "18"))})
		n.set("", &host{meter: meter(t, "[server]\nframing = \"hdlc\"\n"+energyMeter)})
		start := time.Now()
		require.NoError(t, d.Start(acc))
		later(10*time.Minute - time.Second)
		require.Len(t, acc.values("meter", "other"), 600)
		require.GreaterOrEqual(t, len(acc.values("meter", "poll")), 19)
		for _, r := range attempts(runsOf(acc, start, "request", "once"))[1:] {
			require.Equal(t, 1500*time.Millisecond, r.took)
		}
		n.set("tcp://10.0.0.5:7000", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "17, 18"))})
		later(11 * time.Minute)
		require.Len(t, acc.values("meter", "once"), 1)
	})
}

// TestPasswordFile has the password in a file, which goes and comes back with
// another one: neither costs a wrong login.
func TestPasswordFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	write := func(password string) { require.NoError(t, os.WriteFile(file, []byte(password+"\n"), 0o600)) }
	locked := "[[server.client]]\naddress = 32\nauthentication = \"low\"\npassword = \"%s\"\n" + energyMeter
	c := conf(top+"\nauthentication = \"low\"\npassword = \"file:"+file+"\"", "name = \"a\"\nmethod = \"polling\"\ninterval = \"1m\"")
	write("SeSaMe01")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
		m := meter(t, fmt.Sprintf(locked, "SeSaMe01"))
		n.set("", &host{meter: m})
		require.NoError(t, d.Start(acc))
		later(time.Second)
		require.NoError(t, os.Remove(file))
		later(time.Minute)
		write("")
		later(time.Minute)
		write("SeSaMe02")
		m2 := meter(t, fmt.Sprintf(locked, "SeSaMe02"))
		n.set("", &host{meter: m2})
		later(time.Minute)
		require.Equal(t, []string{"success", "auth", "auth", "success"}, acc.results())
		require.Zero(t, m.Counters().Rejections+m2.Counters().Rejections)
		require.Len(t, acc.errors(), 1, "the same trouble is told once")
		require.Contains(t, acc.errors()[0], `request "a", 10.0.0.5:4059: password: open `+file)
		require.Contains(t, acc.errors()[0], "the next run reads it again")
		for _, line := range append(acc.errors(), j.at("")...) {
			require.NotContains(t, line, "SeSaMe")
		}
	})
}
