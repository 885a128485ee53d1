package dlms_cosem

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

const energyMeter = `
[[object]]
class = 3
obis = "1.0.1.8.0.255"
value = { double-long-unsigned = 12345 }
scaler = 0
unit = "Wh"
`

const hdlcMeter = "[server]\nframing = \"hdlc\"\nphysical_addresses = [%s]\n" + energyMeter

// conf is a configuration of requests, each of one item.
func conf(top string, requests ...string) string {
	var b strings.Builder
	b.WriteString("[[inputs.dlms_cosem]]\n" + top + "\n")
	for _, r := range requests {
		b.WriteString("[[inputs.dlms_cosem.request]]\n" + r + "\n[[inputs.dlms_cosem.request.item]]\nobis = \"1.0.1.8.0.255\"\nclass = 3\n")
	}
	return b.String()
}

const top = `endpoint = "tcp://10.0.0.5:4059"`

// bubble runs a test in which time passes at once. The plugin is started and
// stopped.
func bubble(t *testing.T, configuration string, test func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal)) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		d, j := plugin(t, n, configuration)
		require.NoError(t, d.Init())
		acc := &sink{}
		test(t, n, d, acc, j)
		d.Stop()
	})
}

// later lets time pass.
func later(d time.Duration) {
	t := time.NewTimer(d)
	<-t.C
	synctest.Wait()
}

func TestPolling(t *testing.T) {
	bubble(t, conf(top, "name = \"a\"\nmethod = \"polling\"\ninterval = \"10s\""), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		start := time.Now()
		require.NoError(t, d.Start(acc))
		later(35 * time.Second)
		points := acc.values()
		require.Len(t, points, 4)
		for i, p := range points {
			require.Equal(t, start.Add(time.Duration(i)*10*time.Second), p.at)
		}
	})
}

func TestSlowPollingSlips(t *testing.T) {
	slow := "[server]\nresponse_delay = \"3s\"\n" + energyMeter // 4 answers: 12 s
	bubble(t, conf(top, "name = \"a\"\nmethod = \"polling\"\ninterval = \"10s\""), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, slow)})
		require.NoError(t, d.Start(acc))
		later(121 * time.Second)
		require.InDelta(t, 12, len(acc.values()), 3)
		for _, p := range acc.all() {
			if p.measurement == statusMeasurement {
				require.Equal(t, int64(0), p.fields["skipped"])
			}
		}
	})
}

func TestGatherTicks(t *testing.T) {
	slow := "[server]\nresponse_delay = \"1s\"\n" + energyMeter
	bubble(t, conf(top, `name = "a"`, `name = "b"`), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, slow)})
		require.NoError(t, d.Start(acc))
		later(time.Second)
		require.Empty(t, acc.all(), "nothing without a tick")
		for range 5 { // a runs, b is queued
			require.NoError(t, d.Gather(acc))
			later(100 * time.Millisecond)
		}
		later(time.Minute)
		require.Equal(t, []string{"success"}, acc.results("request", "a"))
		require.Equal(t, []string{"success"}, acc.results("request", "b"))
		require.NoError(t, d.Gather(acc))
		later(time.Minute)
		var skipped []int64
		for _, p := range acc.all() {
			if p.measurement == statusMeasurement && p.has("request", "a") {
				skipped = append(skipped, p.fields["skipped"].(int64))
			}
		}
		require.Equal(t, []int64{0, 4}, skipped, "ticks are counted for the run after them")
	})
}

func TestNoGatherTick(t *testing.T) {
	bubble(t, conf(top, `name = "a"`), func(t *testing.T, _ *network, d *DLMS, acc *sink, j *journal) {
		require.NoError(t, d.Start(acc))
		later(59 * time.Second)
		require.Empty(t, j.at("W! "))
		later(2 * time.Second)
		require.Equal(t, []string{`W! no gather tick: set signal = "STDIN" in inputs.execd or pass -poll_interval`}, j.at("W! "))
	})
	bubble(t, conf(top, `name = "a"`), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		require.NoError(t, d.Start(acc))
		require.NoError(t, d.Gather(acc))
		later(2 * time.Minute)
		require.Empty(t, j.at("W! "))
	})
	bubble(t, conf(top, "name = \"a\"\nmethod = \"once\""), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		require.NoError(t, d.Start(acc))
		later(2 * time.Minute)
		require.Empty(t, j.at("W! "))
	})
}

func TestOnceRepeatsUntilItSucceeds(t *testing.T) {
	bubble(t, conf(top, "name = \"a\"\nmethod = \"once\""), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		require.NoError(t, d.Start(acc))
		later(time.Second)
		require.Equal(t, []string{"connect"}, acc.results())
		later(10 * time.Second) // not sooner than the interval
		require.Equal(t, []string{"connect", "connect"}, acc.results())
		n.set("", &host{meter: meter(t, energyMeter)})
		later(61 * time.Second)
		require.Equal(t, []string{"connect", "connect", "success"}, acc.results())
		later(24 * time.Hour)
		require.Len(t, acc.results(), 3)
	})
}

func TestOnceRepeatsOnlyWhatFailed(t *testing.T) {
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18]", "name = \"a\"\nmethod = \"once\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "17"))})
		require.NoError(t, d.Start(acc))
		later(20 * time.Minute)
		n.set("", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "17, 18"))})
		later(30 * time.Minute)
		require.Equal(t, []string{"success"}, acc.results("address", "17"))
		list := acc.results("address", "18")
		require.Equal(t, "success", list[len(list)-1])
		require.NotContains(t, list[:len(list)-1], "success")
	})
}

// TestOnceBacksOff has a meter that answers, but refuses.
func TestOnceBacksOff(t *testing.T) {
	bubble(t, conf(top, "name = \"a\"\nmethod = \"once\""), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, "[[object]]\nclass = 3\nobis = \"1.0.1.8.0.255\"\nresult = \"read-write-denied\"\n")})
		require.NoError(t, d.Start(acc))
		later(18*time.Minute + 30*time.Second)
		// at 0, 10 s, then after 1, 2, 5 and 10 minutes
		require.Equal(t, []string{"access", "access", "access", "access", "access", "access"}, acc.results())
		require.Len(t, acc.errors(), 1)
	})
}

// TestBackoff follows a meter that is switched off for an hour.
func TestBackoff(t *testing.T) {
	bubble(t, conf(top, "name = \"a\"\nmethod = \"polling\"\ninterval = \"10s\""), func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
		on := &host{meter: meter(t, energyMeter)}
		n.set("", on)
		require.NoError(t, d.Start(acc))
		later(5 * time.Second)
		n.set("", nil)
		n.cut()
		before := n.dialed()
		start := time.Now()
		later(time.Hour)
		// t=5 fails, t=15 short, then 1, 2, 5, 10 minutes between attempts.
		attempts := n.dialed() - before
		require.Equal(t, 2+1+1+1+5, attempts)
		runs := acc.results()
		require.Len(t, runs, 1+360, "a status for each due run")
		counts := map[string]int{}
		for _, r := range runs {
			counts[r]++
		}
		require.Equal(t, map[string]int{"success": 1, "connect": attempts, "backoff": 360 - attempts}, counts)
		require.Len(t, acc.errors(), 1, "the same failure is reported once")
		require.NotEmpty(t, j.at("D! "))
		n.set("", on)
		later(10 * time.Minute)
		require.Equal(t, "success", acc.results()[len(acc.results())-1])
		recovered := j.at("I! ")
		require.Len(t, recovered, 1)
		require.Contains(t, recovered[0], "Reading again after 10 failed runs")
		require.Greater(t, len(acc.values("meter", "a")), 2)
		require.Less(t, time.Since(start), 2*time.Hour)
	})
}

// TestDeadMeterOnBus has one dead meter of four on a line: in the first hour it
// costs the others what the ladder says.
func TestDeadMeterOnBus(t *testing.T) {
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18, 19, 20]", "name = \"a\"\nmethod = \"polling\"\ninterval = \"10s\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "17, 19, 20"))})
		require.NoError(t, d.Start(acc))
		later(time.Hour)
		for _, address := range []string{"17", "19", "20"} {
			require.Greater(t, len(acc.values("address", address)), 350, address)
		}
		var spent time.Duration
		for i, p := range acc.all() {
			if p.measurement != statusMeasurement || !p.has("address", "18") {
				continue
			}
			took := time.Duration(p.fields["duration"].(float64) * float64(time.Second))
			spent += took
			if i > 10 && p.tags["result"] != "backoff" {
				assert.LessOrEqual(t, took, 7*time.Second)
			}
		}
		require.Less(t, spent, 60*time.Second)
		require.Contains(t, acc.results("address", "18"), "timeout")
		require.Contains(t, acc.results("address", "18"), "backoff")
	})
}

// TestSlowMeterIsFoundAgain has a meter slower than the short attempt.
func TestSlowMeterIsFoundAgain(t *testing.T) {
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18]", "name = \"a\"\nmethod = \"polling\"\ninterval = \"1m\"")
	slow := strings.Replace(fmt.Sprintf(hdlcMeter, "17, 18"), "[server]\n", "[server]\nresponse_delay = \"1800ms\"\n", 1)
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{hang: true})
		require.NoError(t, d.Start(acc))
		later(time.Hour)
		n.set("", &host{meter: meter(t, slow)})
		later(25 * time.Minute)
		require.NotEmpty(t, acc.values("address", "17"))
		require.NotEmpty(t, acc.values("address", "18"))
	})
}

func TestRefusedLogin(t *testing.T) {
	locked := "[[server.client]]\naddress = 32\nauthentication = \"low\"\npassword = \"12345678\"\n" + energyMeter
	c := conf(top+"\nauthentication = \"low\"\npassword = \"env:DLMS_TEST_PASSWORD\"", "name = \"a\"\nmethod = \"polling\"\ninterval = \"1m\"")
	t.Setenv("DLMS_TEST_PASSWORD", "wrongone")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		m := meter(t, locked)
		n.set("", &host{meter: m})
		require.NoError(t, d.Start(acc))
		later(25 * time.Hour)
		// at 0, then after 15, 30 min, 1, 2, 4, 8, 16 h
		require.Equal(t, 7, m.Counters().Rejections)
		require.Len(t, acc.errors(), 1)
		require.Contains(t, acc.errors()[0], "diagnostic 13")
		t.Setenv("DLMS_TEST_PASSWORD", "12345678") // the user mends it
		later(2 * time.Minute)
		require.NotEmpty(t, acc.values())
	})
}

func TestOnRunAndRunOnce(t *testing.T) {
	c := conf(top, "name = \"a\"\nmethod = \"polling\"", "name = \"b\"", "name = \"c\"\nenabled = false")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		var runs []Run
		d.OnRun = func(r Run) { runs = append(runs, r) }
		failed, err := d.RunOnce(context.Background(), acc, "")
		require.NoError(t, err)
		require.Zero(t, failed)
		require.Equal(t, []Run{{"a", "", "success"}, {"b", "", "success"}}, runs)
		_, err = d.RunOnce(context.Background(), acc, "x")
		require.EqualError(t, err, `there is no request "x": there is "a", "b", "c"`)
		_, err = d.RunOnce(context.Background(), acc, "c")
		require.EqualError(t, err, `request "c" is not enabled`)
		failed, err = d.RunOnce(context.Background(), acc, "b")
		require.NoError(t, err)
		require.Zero(t, failed)
		n.set("", nil)
		failed, err = d.RunOnce(context.Background(), acc, "")
		require.NoError(t, err)
		require.Equal(t, 2, failed)
		require.Equal(t, "connect", runs[len(runs)-1].Result)
	})
}

// TestLinksInParallel has one meter that never answers, one that is very slow
// and some that are fine.
func TestLinksInParallel(t *testing.T) {
	var requests []string
	for i := range 6 {
		requests = append(requests, fmt.Sprintf("name = \"m%d\"\nendpoint = \"tcp://10.0.0.%d:4059\"", i, i))
	}
	bubble(t, conf("", requests...), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		n.set("tcp://10.0.0.1:4059", &host{hang: true})
		n.set("tcp://10.0.0.2:4059", &host{mute: true})
		require.NoError(t, d.Start(acc))
		require.NoError(t, d.Gather(acc))
		later(time.Second)
		require.Len(t, acc.values(), 4)
		later(time.Minute)
		require.Equal(t, []string{"connect"}, acc.results("meter", "m1"))
		require.Equal(t, []string{"timeout"}, acc.results("meter", "m2"))
	})
}

// TestTimeoutIsTheWholeRequest has a meter that answers each message just in
// time.
func TestTimeoutIsTheWholeRequest(t *testing.T) {
	slow := "[server]\nno_lists = true\nresponse_delay = \"4s\"\n" + energyMeter
	bubble(t, conf(top+"\ntimeout = \"10s\"", "name = \"a\"", "name = \"b\""), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, slow)})
		start := time.Now()
		_, err := d.RunOnce(context.Background(), acc, "a")
		require.NoError(t, err)
		require.Equal(t, []string{"timeout"}, acc.results())
		require.WithinDuration(t, start.Add(10*time.Second), time.Now(), 2*time.Second)
		require.Contains(t, acc.errors()[0], "the request took longer than timeout = 10s")
		require.Contains(t, acc.errors()[0], "raise timeout")
	})
}

// blocked is an accumulator that does not take anything.
type blocked struct {
	sink
	hold chan struct{}
}

func (b *blocked) AddFields(m string, f map[string]any, tags map[string]string, t ...time.Time) {
	<-b.hold
	b.sink.AddFields(m, f, tags, t...)
}

func TestStop(t *testing.T) {
	polling := conf(top, "name = \"a\"\nmethod = \"polling\"\ninterval = \"10s\"")
	stopped := func(t *testing.T, d *DLMS) {
		start := time.Now()
		d.Stop()
		require.LessOrEqual(t, time.Since(start), 4*time.Second)
		d.Stop() // again is nothing
	}
	t.Run("idle", func(t *testing.T) {
		bubble(t, polling, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			n.set("", &host{meter: meter(t, energyMeter)})
			require.NoError(t, d.Start(acc))
			later(time.Second)
			stopped(t, d)
		})
	})
	t.Run("before anything", func(t *testing.T) {
		bubble(t, polling, func(t *testing.T, _ *network, d *DLMS, _ *sink, _ *journal) { stopped(t, d) })
	})
	t.Run("reading releases", func(t *testing.T) {
		bubble(t, polling, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			m := meter(t, "[server]\nresponse_delay = \"400ms\"\n"+energyMeter)
			n.set("", &host{meter: m})
			require.NoError(t, d.Start(acc))
			later(600 * time.Millisecond)
			stopped(t, d)
			synctest.Wait()
			require.Equal(t, 1, m.Counters().Releases)
			require.Empty(t, acc.results(), "being stopped is no failure of the meter's")
			require.Empty(t, acc.errors())
		})
	})
	t.Run("hanging peer", func(t *testing.T) {
		bubble(t, polling, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			n.set("", &host{mute: true})
			require.NoError(t, d.Start(acc))
			later(time.Second)
			stopped(t, d)
		})
	})
	t.Run("hanging dial", func(t *testing.T) {
		bubble(t, polling, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			n.set("", &host{hang: true})
			require.NoError(t, d.Start(acc))
			later(time.Second)
			stopped(t, d)
		})
	})
	t.Run("blocked output", func(t *testing.T) {
		never := strings.Replace(polling, "method", "keep_open = \"never\"\nmethod", 1)
		bubble(t, never, func(t *testing.T, n *network, d *DLMS, _ *sink, j *journal) {
			m := meter(t, energyMeter)
			n.set("", &host{meter: m})
			acc := &blocked{hold: make(chan struct{})}
			require.NoError(t, d.Start(acc))
			later(time.Minute)
			stopped(t, d)
			require.Equal(t, 1, m.Counters().Releases, "released before the output blocked")
			require.Len(t, j.at("W! "), 1)
			close(acc.hold)
			synctest.Wait()
			require.Len(t, acc.all(), 1, "nothing new after Stop")
		})
	})
}

func TestManyLinksAreSpread(t *testing.T) {
	var requests []string
	for i := range 300 {
		requests = append(requests, fmt.Sprintf("name = \"m%d\"\nendpoint = \"tcp://10.0.%d.%d:4059\"\nmethod = \"polling\"", i, i/100, i%100))
	}
	bubble(t, conf("", requests...), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		require.NoError(t, d.Start(acc))
		synctest.Wait()
		require.Less(t, len(acc.values()), 30)
		later(4 * time.Second)
		require.Len(t, acc.values(), 300)
	})
}

func TestDialsAreBounded(t *testing.T) {
	var requests []string
	for i := range 200 {
		requests = append(requests, fmt.Sprintf("name = \"m%d\"\nendpoint = \"tcp://10.0.%d.%d:4059\"", i, i/100, i%100))
	}
	bubble(t, conf("", requests...), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{hang: true})
		require.NoError(t, d.Start(acc))
		require.NoError(t, d.Gather(acc))
		synctest.Wait()
		require.Equal(t, dialsAtOnce, n.dialed())
		later(dialSlot)
		require.Equal(t, 2*dialsAtOnce, n.dialed(), "those that hang do not hold up the others")
		later(time.Minute)
		require.Len(t, acc.results(), 200)
	})
}

// TestHeldConnection reads several meters of a line over one connection, and
// opens another if it has died meanwhile.
func TestHeldConnection(t *testing.T) {
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18, 19]", `name = "a"`, `name = "b"`)
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, fmt.Sprintf(hdlcMeter, "17, 18, 19"))})
		failed, err := d.RunOnce(context.Background(), acc, "")
		require.NoError(t, err)
		require.Zero(t, failed)
		require.Equal(t, 1, n.dialed())
	})
	bubble(t, conf(top, `name = "a"`, `name = "b"`), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		failed, err := d.RunOnce(context.Background(), acc, "")
		require.NoError(t, err)
		require.Zero(t, failed)
		require.Equal(t, 1, n.dialed(), "one association for both")
	})
}

func TestBusyMeter(t *testing.T) {
	m := dlmstest.NewMeter(dlmstest.Config{Framing: dlmstest.FramingHDLC, Clients: map[uint16]dlmstest.Client{16: {Mechanism: acse.None}},
		Faults: &dlmstest.Faults{DMOnSNRM: -1}}, nil)
	c := conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"", `name = "a"`)
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: m})
		_, err := d.RunOnce(context.Background(), acc, "")
		require.NoError(t, err)
		require.Equal(t, []string{"busy"}, acc.results())
	})
}
