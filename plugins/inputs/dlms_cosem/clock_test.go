package dlms_cosem

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// stamps are the times of the values, in a zone.
func stamps(acc *sink, zone string, tags ...string) (list []string) {
	l, err := time.LoadLocation(zone)
	if err != nil {
		panic(err)
	}
	for _, p := range acc.values(tags...) {
		list = append(list, p.at.In(l).Format("01-02 15:04:05 -0700"))
	}
	return list
}

// until lets time pass to an instant.
func until(t *testing.T, rfc3339 string) {
	at, err := time.Parse(time.RFC3339, rfc3339)
	require.NoError(t, err)
	later(time.Until(at))
}

// TestClockMethods runs requests by cron and times over the change to summer
// time in Berlin. A bubble begins on 2000-01-01.
func TestClockMethods(t *testing.T) {
	c := conf(top+"\ntimezone = \"Europe/Berlin\"", "name = \"a\"\nmethod = \"cron\"\ncron = \"30 2 * * *\"", "name = \"b\"\nmethod = \"times\"\ntimes = \"02:59:59;12:00:00\"",
		"name = \"c\"\nmethod = \"cron\"\ncron = \"0 0 24-27 3 *\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, j *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		until(t, "2000-03-25T03:00:00+01:00")
		require.NoError(t, d.Start(acc))
		until(t, "2000-03-27T12:00:01+02:00")
		require.Equal(t, []string{"03-26 03:00:00 +0200", "03-27 02:30:00 +0200"}, stamps(acc, "Europe/Berlin", "meter", "a"))
		require.Equal(t, []string{"03-25 12:00:00 +0100", "03-26 03:00:00 +0200", "03-26 12:00:00 +0200", "03-27 02:59:59 +0200", "03-27 12:00:00 +0200"},
			stamps(acc, "Europe/Berlin", "meter", "b"))
		require.Equal(t, []string{"03-26 00:00:00 +0100", "03-27 00:00:00 +0200"}, stamps(acc, "Europe/Berlin", "meter", "c"))
		require.Empty(t, j.at("W! "))
		require.Empty(t, acc.errors())
	})
}

// TestCronAtStart: "?" in the minute field fires at once.
func TestCronAtStart(t *testing.T) {
	c := conf(top+"\nmethod = \"cron\"\ntimezone = \"UTC\"", "name = \"a\"\ncron = \"? ? * * *\"", "name = \"b\"\ncron = \"? ? ? ? *\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, energyMeter)})
		require.NoError(t, d.Start(acc))
		later(49 * time.Hour)
		require.Len(t, acc.values("meter", "a"), 3)
		require.Len(t, acc.values("meter", "b"), 1)
	})
}

// TestMisfire has the link be busy when a request is due: it is run late within
// the grace, else skipped and counted.
func TestMisfire(t *testing.T) {
	for grace, want := range map[string]struct {
		runs    int
		skipped int64
	}{"10s": {1, 1}, "60s": {2, 0}} {
		slow := "[server]\nresponse_delay = \"5s\"\n" + energyMeter // 5 answers: 25 s
		c := conf(top+"\nmethod = \"cron\"\ntimezone = \"UTC\"\nkeep_open = \"never\"\nreply_timeout = \"6s\"\nmisfire_grace = \""+grace+"\"", "name = \"busy\"\ncron = \"0 12 * * *\"", "name = \"late\"\ncron = \"5 0 12,13 * * *\"")
		bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
			n.set("", &host{meter: meter(t, slow)})
			until(t, "2000-01-02T11:00:00Z")
			require.NoError(t, d.Start(acc))
			until(t, "2000-01-02T14:00:00Z")
			require.Len(t, acc.values("meter", "busy"), 1)
			require.Len(t, acc.values("meter", "late"), want.runs)
			var skipped int64
			for _, p := range acc.all() {
				if p.measurement == statusMeasurement && p.has("request", "late") {
					skipped += p.fields["skipped"].(int64)
				}
			}
			require.Equal(t, want.skipped, skipped)
		})
	}
}

// TestRetryWindow: a run of the clock that failed is repeated for the devices
// that failed, for as long as the window says.
func TestRetryWindow(t *testing.T) {
	hdlc := "endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18]\nmethod = \"cron\"\ntimezone = \"UTC\"\ncron = \"0 12 * * *\""
	bubble(t, conf(hdlc, `name = "a"`), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, strings.Replace(hdlcMeter, "%s", "17", 1))})
		until(t, "2000-01-02T11:00:00Z")
		require.NoError(t, d.Start(acc))
		until(t, "2000-01-02T12:20:00Z")
		require.Len(t, acc.values("address", "17"), 1, "it was read: it is left alone")
		failed := len(acc.results("address", "18"))
		require.GreaterOrEqual(t, failed, 4)
		n.set("", &host{meter: meter(t, strings.Replace(hdlcMeter, "%s", "17, 18", 1))})
		until(t, "2000-01-02T13:30:00Z")
		require.Len(t, acc.values("address", "17"), 1)
		require.Len(t, acc.values("address", "18"), 1, "made up for, once")
		require.Len(t, acc.results("address", "18"), failed+1)
	})
	bubble(t, conf(hdlc+"\nretry_window = \"10m\"", `name = "a"`), func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, strings.Replace(hdlcMeter, "%s", "17", 1))})
		until(t, "2000-01-02T11:00:00Z")
		require.NoError(t, d.Start(acc))
		until(t, "2000-01-02T12:11:00Z")
		n.set("", &host{meter: meter(t, strings.Replace(hdlcMeter, "%s", "17, 18", 1))})
		until(t, "2000-01-03T11:00:00Z")
		require.Empty(t, acc.values("address", "18"), "the window is over")
		until(t, "2000-01-03T12:30:00Z")
		require.Len(t, acc.values("address", "18"), 1)
	})
}

// TestEvent: a trigger runs a request; while it waits or runs further ones are
// counted.
func TestEvent(t *testing.T) {
	slow := "[server]\nresponse_delay = \"1s\"\n" + energyMeter
	c := conf(top, "name = \"a\"\nmethod = \"event\"", "name = \"b\"\nmethod = \"polling\"\ninterval = \"1h\"", "name = \"c\"\nmethod = \"event\"\nenabled = false")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		n.set("", &host{meter: meter(t, slow)})
		require.ErrorContains(t, d.Trigger("a"), `request "a" is not running`)
		require.NoError(t, d.Start(acc))
		later(time.Minute)
		require.Empty(t, acc.values("meter", "a"))
		for range 3 {
			require.NoError(t, d.Trigger("a"))
			synctest.Wait()
		}
		later(time.Minute)
		require.Len(t, acc.values("meter", "a"), 1)
		require.NoError(t, d.Trigger("a"))
		later(time.Minute)
		require.Len(t, acc.values("meter", "a"), 2)
		var skipped []int64
		for _, p := range acc.all() {
			if p.measurement == statusMeasurement && p.has("request", "a") {
				skipped = append(skipped, p.fields["skipped"].(int64))
			}
		}
		require.Equal(t, []int64{0, 2}, skipped)
		require.EqualError(t, d.Trigger("x"), `there is no request "x": there is "a", "b", "c"`)
		require.EqualError(t, d.Trigger("b"), `request "b" has method = "polling": only requests with method = "event" are triggered`)
		require.EqualError(t, d.Trigger("c"), `request "c" is not enabled`)
	})
}

// TestTenDays has all methods, meters that come and go, and a line with a dead
// one among others, for ten days (three with the race detector): nothing grows.
func TestTenDays(t *testing.T) {
	last := 9
	if raceEnabled {
		last = 2
	}
	c := conf("timezone = \"Europe/Berlin\"",
		"name = \"polled\"\nendpoint = \"tcp://10.0.0.1:4059\"\nmethod = \"polling\"\ninterval = \"60s\"",
		"name = \"ticked\"\nendpoint = \"tcp://10.0.0.1:4059\"",
		"name = \"cron\"\nendpoint = \"tcp://10.0.0.2:4059\"\nmethod = \"cron\"\ncron = \"*/10 * * * *\"",
		"name = \"times\"\nendpoint = \"tcp://10.0.0.2:4059\"\nmethod = \"times\"\ntimes = \"00:00:00;12:00:00\"",
		"name = \"event\"\nendpoint = \"tcp://10.0.0.2:4059\"\nmethod = \"event\"",
		"name = \"line\"\nendpoint = \"tcp://10.0.0.3:7000\"\nframing = \"hdlc\"\nphysical_address = [17, 18, 19]\nmethod = \"polling\"\ninterval = \"5m\"")
	bubble(t, c, func(t *testing.T, n *network, d *DLMS, acc *sink, _ *journal) {
		on := func() {
			n.set("", &host{meter: meter(t, energyMeter)})
			n.set("tcp://10.0.0.3:7000", &host{meter: meter(t, strings.Replace(hdlcMeter, "%s", "17, 19", 1))})
		}
		on()
		require.NoError(t, d.Start(acc))
		var goroutines, heap [2]uint64
		for day := range last + 1 {
			for hour := range 24 {
				require.NoError(t, d.Gather(acc))
				require.NoError(t, d.Trigger("event"))
				if hour == 7 { // all meters are off for some minutes
					n.set("", nil)
					n.set("tcp://10.0.0.3:7000", nil)
					n.cut()
					later(10 * time.Minute)
					on()
					later(50 * time.Minute)
				} else {
					later(time.Hour)
				}
			}
			later(20 * time.Second) // between two polls: all links are closed
			if day == 0 || day == last {
				i := day / last
				var m runtime.MemStats
				count := acc.drop()
				n.mu.Lock()
				n.dials, n.ends = nil, nil
				n.mu.Unlock()
				require.Greater(t, count, 1440)
				runtime.GC()
				runtime.ReadMemStats(&m)
				goroutines[i], heap[i] = uint64(runtime.NumGoroutine()), m.HeapAlloc
			} else {
				acc.drop()
			}
		}
		require.Equal(t, goroutines[0], goroutines[1])
		require.Less(t, heap[1], heap[0]+1<<20)
	})
}

// drop forgets what has come, and returns how much it was.
func (s *sink) drop() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.points)
	s.points, s.errs = nil, nil
	return n
}

// TestClockSetBack: a clock that is corrected by some minutes runs nothing
// twice; one that was a year ahead is not waited for.
func TestClockSetBack(t *testing.T) {
	d := decodeConf(t, conf(top+"\nmethod = \"cron\"\ntimezone = \"UTC\"\ncron = \"0 * * * *\"", `name = "a"`))
	require.NoError(t, d.Init())
	l := newLink(d, d.requests[0].endpoint, nil)
	l.add(d.requests[0])
	at := func(text string) time.Time {
		x, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return x
	}
	l.begin(at("2027-06-01T11:30:00Z"), 1)
	for _, look := range []struct {
		now  string
		run  bool
		wait time.Duration
	}{
		{"2027-06-01T11:59:00Z", false, time.Minute},
		{"2027-06-01T12:00:00Z", true, 0},
		{"2027-06-01T11:50:00Z", false, 70 * time.Minute}, // 12:00 was run
		{"2027-06-01T13:00:00Z", true, 0},
		{"2026-06-01T13:10:00Z", false, 50 * time.Minute},
		{"2026-06-01T14:00:00Z", true, 0},
		{"2026-06-01T14:00:01Z", false, 59*time.Minute + 59*time.Second},
	} {
		j, wait := l.take(at(look.now))
		require.Equal(t, look.run, j != nil, look.now)
		require.Equal(t, look.wait, wait, look.now)
		if j != nil {
			l.finished(j, at(look.now))
		}
	}
}
