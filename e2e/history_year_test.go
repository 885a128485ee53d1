//go:build e2e

package e2e

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
	_ "time/tzdata" // zones on hosts without zone files

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

const (
	yearRows   = 365 * 96
	yearKills  = 20               // HISTORY_KILLS: another number
	yearTakes  = 40 * time.Second // of the host
	killApart  = 2 * time.Second  // of the host, at least, on average
	day        = 24 * time.Hour
	quarter    = 15 * time.Minute
	burstRows  = 5
	landings   = 3 // of the clock, at one of which the meter captures no row if it is the end of a quarter
	bursts     = 10
	mostUncut  = 40 // messages between two cuts
	comesSoon  = time.Minute
	yearMeters = "Europe/Berlin"
)

// lived is a year of a meter in its making.
type lived struct {
	t      *testing.T
	s      *suite
	clock  *paced
	meter  *remembering
	load   stored
	events stored
	random *rand.Rand
	killer killer
}

// step is something that happens when the meter's clock shows a time.
type step struct {
	at time.Time
	do func(y *lived)
}

// year: a meter lives through the year 2025, which its clock passes in less than
// a minute, and is read while it does. The year is over: the clock of a meter
// may be wrong by as much, its rows count. In any year there are both changes of
// daylight saving time.
func year(t *testing.T, s *suite) {
	kills := yearKills
	if n, err := strconv.Atoi(os.Getenv("HISTORY_KILLS")); err == nil {
		kills = max(n, 2)
	}
	seed := rand.Uint64()
	t.Logf("seed %d, %d kills", seed, kills)
	berlin, err := time.LoadLocation(yearMeters)
	require.NoError(t, err)
	date := func(month time.Month, d, hour, minute int) time.Time {
		return time.Date(2025, month, d, hour, minute, 0, 0, berlin)
	}
	begin := date(time.January, 1, 0, 0)
	y := &lived{t: t, s: s, random: rand.New(rand.NewPCG(seed, 0)), clock: newPaced(begin, begin.Add(365*day))}
	y.meter = startRemembering(s.ctx, t, history.Config{Now: y.clock.now, Location: berlin, Capacity: yearRows + 1000})
	y.load = stored{y.meter.Meter, history.LoadProfile, energies, "year", "load"}
	y.events = stored{y.meter.Meter, history.EventLog, codes, "year", "events"}

	steps := []step{
		{date(time.February, 10, 3, 7), (*lived).withoutPower},
		{date(time.April, 2, 12, 2), (*lived).slowBurst},
		// In full career. What comes again is at most two rows, which lie in what is read again anyway.
		{date(time.May, 5, 12, 5), func(y *lived) { y.meter.Jump(-30 * time.Minute) }},
		{date(time.June, 10, 8, 0), (*lived).withoutLink},
		{date(time.August, 12, 12, 7), (*lived).setBack},
		{date(time.September, 3, 4, 7), (*lived).setForward},
	}
	for range bursts {
		at := begin.Add(time.Duration(y.random.Int64N(int64(365 * day))))
		steps = append(steps, step{at, func(y *lived) { y.meter.Events(uint8(1+y.random.IntN(200)), burstRows) }})
	}
	slices.SortFunc(steps, func(a, b step) int { return a.at.Compare(b.at) })

	tg := s.startTelegraf(t, setup{
		database: "year", signal: "none",
		plugin: profiles(y.meter.address, yearMeters, "200ms",
			"      name = \"load\"\n      obis = \"1.0.99.1.0.255\"\n      lookback = \"400d\"\n      rate = 20000\n",
			"      name = \"events\"\n      obis = \"0.0.99.98.0.255\"\n      lookback = \"400d\"\n      rate = 20000\n"),
	})
	y.killer = killer{tg: tg, y: y}
	for range kills - 2 { // two more are of the time without link
		y.killer.at = append(y.killer.at, begin.Add(time.Duration(y.random.Int64N(int64(365*day)))))
	}
	slices.SortFunc(y.killer.at, time.Time.Compare)
	cutting := rand.New(rand.NewPCG(seed, 1)) // for another goroutine
	y.meter.lose(func() int { return cutting.IntN(mostUncut) })
	y.clock.run(float64(365*day) / float64(max(yearTakes, time.Duration(kills)*killApart)))
	var killing sync.WaitGroup
	killing.Go(y.killer.run)
	for _, st := range steps {
		y.until(st.at)
		st.do(y)
	}
	y.until(y.clock.end)
	killing.Wait()
	y.meter.lose(nil)

	y.caughtUp()
	t.Logf("%d kills, %d connections cut, %d connections in all", y.killer.kills, y.meter.cuts, y.meter.served.Counters().Connections)
	require.Equal(t, kills, y.killer.kills)
	require.Greater(t, y.meter.cuts, 5, "connections were hardly cut")
	y.isSeen()
	s.pause(t, time.Second) // for what would come once more, under another time
	require.InDelta(t, yearRows, y.load.check(t, s.db), landings, "check has compared each row with the meter's")
	require.Equal(t, (bursts+2)*burstRows, y.events.check(t, s.db))
	require.Equal(t, y.load.missing(quarter), y.load.gaps(s.db), "rows that the plugin says are missing")
	require.Zero(t, y.events.gaps(s.db))
}

// until waits until the meter's clock shows a time.
func (y *lived) until(at time.Time) {
	for y.clock.now().Before(at) {
		y.s.pause(y.t, min(max(y.clock.until(at), time.Millisecond), 100*time.Millisecond))
	}
}

// caughtUp waits until InfluxDB has all rows that were captured.
func (y *lived) caughtUp() {
	y.t.Helper()
	for _, p := range []*stored{&y.load, &y.events} {
		p.wait(y.t, y.s, comesSoon)
		p.check(y.t, y.s.db)
	}
}

// quietly does something while the clock of the meter goes at the speed of the
// host's, all has come that was captured before, and the plugin lives.
func (y *lived) quietly(do func(speed float64)) {
	y.killer.mu.Lock()
	defer y.killer.mu.Unlock()
	speed := y.clock.run(1)
	y.caughtUp()
	do(speed)
	y.clock.run(speed)
}

// gapTold waits until a gap is in InfluxDB. It is told by the status metric of
// the run that finds it, and is lost with a kill just before that.
func (y *lived) gapTold() {
	want := y.load.missing(quarter)
	require.Eventually(y.t, func() bool { return y.load.gaps(y.s.db) >= want }, comesSoon, 100*time.Millisecond, "%d rows are missing", want)
}

// withoutPower: the meter captures nothing for a day. What it is read by has
// other power.
func (y *lived) withoutPower() {
	y.quietly(func(speed float64) {
		before := len(y.load.captured())
		y.meter.Outage(true)
		off := y.clock.now()
		y.clock.run(speed)
		y.until(off.Add(day))
		y.meter.Outage(false)
		on := y.clock.now()
		y.until(on.Add(time.Hour))
		y.clock.run(1)
		require.Greater(y.t, len(y.load.captured()), before)
		y.gapTold()
		y.clock.prolong(time.Duration(y.load.missing(quarter)) * quarter)
	})
}

// slowBurst: five events in one second, of which some are read before others
// come.
func (y *lived) slowBurst() {
	y.quietly(func(float64) {
		y.clock.run(0)
		for _, n := range []int{2, 1, burstRows - 3} {
			y.meter.Events(7, n)
			y.caughtUp()
		}
	})
}

// withoutLink: for ten days the meter is not reached. It is reached again by a
// plugin that begins: another would wait out its back-off, a minute of the
// host's after two failures and of the meter's more than its year.
func (y *lived) withoutLink() {
	y.meter.unplug()
	off := y.clock.now()
	y.until(off.Add(2 * day))
	y.killer.now()
	y.until(off.Add(5 * day))
	y.meter.Events(9, burstRows)
	y.until(off.Add(10 * day))
	y.meter.plug(y.t)
	y.killer.now()
}

// setBack: the clock is set back by two hours, and it is seen before rows are
// captured again under times that were.
func (y *lived) setBack() {
	y.quietly(func(float64) {
		y.meter.Jump(-2 * time.Hour)
		y.isSeen()
	})
}

// setForward puts the clock right.
func (y *lived) setForward() {
	y.quietly(func(speed float64) {
		y.meter.Jump(2*time.Hour + 30*time.Minute)
		y.isSeen()
		y.clock.run(speed)
		y.until(y.clock.now().Add(time.Hour))
		y.clock.run(1)
		y.gapTold()
	})
}

// isSeen waits until the plugin has looked at the clock, twice for each profile.
func (y *lived) isSeen() {
	clock := cosem.Attribute{Class: cosem.Clock, Instance: history.ClockObject, ID: 2}
	before := y.meter.read(clock)
	require.Eventually(y.t, func() bool { return y.meter.read(clock) >= before+5 }, comesSoon, 10*time.Millisecond, "the clock is not read")
}

// killer kills the plugin again and again.
type killer struct {
	tg *telegraf
	y  *lived
	at []time.Time // of the meter

	mu    sync.Mutex // held while nobody is to be killed
	last  int        // process id
	kills int
}

// run kills as planned.
func (k *killer) run() {
	for _, at := range k.at {
		for k.y.clock.now().Before(at) {
			if k.y.s.ctx.Err() != nil {
				return
			}
			time.Sleep(min(max(k.y.clock.until(at), time.Millisecond), 50*time.Millisecond))
		}
		k.now()
	}
}

// now kills the plugin as soon as there is one that has not been killed.
func (k *killer) now() {
	for k.y.s.ctx.Err() == nil && !k.kill() {
		time.Sleep(5 * time.Millisecond)
	}
}

func (k *killer) kill() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	pid := k.tg.child()
	if pid == 0 || pid == k.last || syscall.Kill(pid, syscall.SIGKILL) != nil {
		return false
	}
	k.last = pid
	k.kills++
	return true
}
