// Package dlms_cosem is a Telegraf input that reads meters by DLMS/COSEM.
package dlms_cosem

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

//go:embed sample.conf
var sampleConfig string

// DLMS is the plugin. Init, Start, Gather and Stop are called by Telegraf or by
// a host that keeps its contract; RunOnce and ReadOnce take their place where a
// request is to run one time.
type DLMS struct {
	Settings

	StateDir string    `toml:"state_dir"`
	Request  []Request `toml:"request"`

	Log telegraf.Logger `toml:"-"`

	// ConfigPath is the configuration file, after which the state is named, and in whose directory presets are.
	ConfigPath string `toml:"-"`

	// Partial says that the configuration has more requests than these: what is known about the meters of the others is
	// not forgotten.
	Partial bool `toml:"-"`

	// State is where is kept what is learned; nil is a file in StateDir.
	State *state.Store `toml:"-"`

	// Borrow says that the invocation counters of a key are those of a running instance that has the key, if there is one,
	// whatever its configuration: the meter is to see one who counts.
	Borrow bool `toml:"-"`

	// Dial opens a connection to an endpoint as it stands in the configuration;
	// nil is the network. It may be called by several goroutines at once.
	Dial func(ctx context.Context, endpoint string) (dlms.Transport, error) `toml:"-"`

	// Listen and ListenPacket open a port for meters that connect or send to us;
	// nil is the network.
	Listen       func(ctx context.Context, address string) (net.Listener, error)   `toml:"-"`
	ListenPacket func(ctx context.Context, address string) (net.PacketConn, error) `toml:"-"`

	// OnRun, if set, is called after each finished run of a device, its metrics
	// being with the accumulator. It may be called by several goroutines at once.
	OnRun func(Run) `toml:"-"`

	requests []*request
	kept     *state.Store  // what is learned
	counters counterSource // invocation counters, and our title
	alarmed  sync.Map      // ids of counters that are nearly used up, and were warned about
	slots    chan struct{} // connections being opened

	links  []*link
	guests guests
	floors floors
	live   atomic.Pointer[[]*link] // the same between Start and Stop, for Trigger
	cancel context.CancelFunc

	closeState func()
	running    sync.WaitGroup
	ticked     atomic.Bool
	out        *output
}

// Run is one finished run of a request on one device.
type Run struct {
	Request string
	Address string // physical address; empty without
	Result  string // "success", "partial", ...
}

func init() {
	inputs.Add("dlms_cosem", func() telegraf.Input { return &DLMS{} })
}

// SampleConfig returns the documented configuration.
func (*DLMS) SampleConfig() string { return sampleConfig }

const (
	tickPatience = 60 * time.Second        // without a tick, before we say so
	stopPatience = 3500 * time.Millisecond // for links to end, before they are left behind
	dialsAtOnce  = 64
	dialSlot     = 250 * time.Millisecond // after which a connection being opened no longer counts
	jitterFrom   = 16                     // links, from which on first polls are spread
	jitterLink   = 10 * time.Millisecond  // per link
)

// Init checks the configuration, without the network, and reports all its
// mistakes at once: the error joins *ConfigErrors in the order of the file.
func (d *DLMS) Init() error {
	if d.Log == nil {
		d.Log = noLog{}
	}
	if d.Dial == nil {
		d.Dial = Dial
	}
	if d.Listen == nil {
		d.Listen = func(ctx context.Context, address string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		}
	}
	if d.ListenPacket == nil {
		d.ListenPacket = func(ctx context.Context, address string) (net.PacketConn, error) {
			return (&net.ListenConfig{}).ListenPacket(ctx, "udp", address)
		}
	}
	d.slots = make(chan struct{}, dialsAtOnce)
	d.requests = nil
	p, start := &problems{}, time.Now()
	checkSettings(scope{p: p}, &d.Settings)
	if d.Password.source != "" && !d.anyPassword() {
		scope{p: p}.bad("password", "", "%s", unsentPassword(mechanismOf(d.Authentication)))
	}
	if len(d.Request) == 0 {
		scope{p: p}.missing("request", "no requests: at least one [[inputs.dlms_cosem.request]] is needed")
	}
	names, kinds := map[string]bool{}, fieldKinds{}
	for i := range d.Request {
		c := &d.Request[i]
		sc := scope{p: p, path: fmt.Sprintf("request[%d]", i), request: strconv.Itoa(i + 1)}
		if c.Name != "" {
			sc.request = strconv.Quote(c.Name)
			if names[c.Name] {
				sc.bad("name", strconv.Quote(c.Name), "another request has this name")
			}
			names[c.Name] = true
		}
		r := d.buildRequest(sc, c, start)
		kinds.claim(sc, r)
		d.requests = append(d.requests, r)
	}
	for _, w := range p.warnings { // beside mistakes, too: they may be what led to them
		d.Log.Warn(w)
	}
	d.checkShared(p)
	if err := p.err(); err != nil {
		d.requests = nil
		return err
	}
	return nil
}

// checkShared reports endpoints at which we both listen only and ask.
func (d *DLMS) checkShared(p *problems) {
	first := map[endpoint]*request{}
	for i, r := range d.requests {
		before := first[r.endpoint]
		switch {
		case before == nil:
			first[r.endpoint] = r
		case before.passive != r.passive && !r.endpoint.listening():
			sc := scope{p: p, path: fmt.Sprintf("request[%d]", i), request: strconv.Quote(r.name)}
			sc.missing("send_requests", "request %q has the same endpoint, and either both listen or none: set it alike", before.name)
		case before.passive && r.passive && before.framing != r.framing:
			sc := scope{p: p, path: fmt.Sprintf("request[%d]", i), request: strconv.Quote(r.name)}
			sc.missing("framing", "request %q listens at the same endpoint with another one: set it alike, or leave it out, and it is found out", before.name)
		default:
		}
	}
}

// anyPassword reports whether a request logs in with a password.
func (d *DLMS) anyPassword() bool {
	for i := range d.Request {
		if mechanismOf(cmp.Or(d.Request[i].Authentication, d.Authentication)).HasSecret() {
			return true
		}
	}
	return false
}

// Start begins to run the requests as they become due. It does not wait for
// anything: a meter that cannot be reached is reported by its link.
func (d *DLMS) Start(acc telegraf.Accumulator) error {
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	d.closeState = d.openState()
	for _, w := range d.Weaknesses() {
		d.Log.Warn(w)
	}
	d.out = newOutput(acc)
	d.ticked.Store(false)
	d.links = d.newLinks(d.out, nil)
	for _, l := range d.links {
		l.openPort(ctx)
	}
	now := time.Now()
	for _, l := range d.links {
		l.begin(now, len(d.links))
		d.running.Go(func() { l.loop(ctx) })
	}
	for _, l := range d.newListeners(d.out, nil) {
		d.running.Go(func() { l.run(ctx) })
	}
	d.live.Store(&d.links)
	if d.wants(schedule.Gather) {
		d.running.Go(func() { d.watchTicks(ctx) })
	}
	return nil
}

// wants reports whether an enabled request has that method.
func (d *DLMS) wants(m schedule.Method) bool {
	for _, r := range d.requests {
		if r.enabled && !r.passive && r.schedule.Method == m {
			return true
		}
	}
	return false
}

// watchTicks says so if nobody makes us gather.
func (d *DLMS) watchTicks(ctx context.Context) {
	t := time.NewTimer(tickPatience)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
		if !d.ticked.Load() {
			d.Log.Warn(`no gather tick: set signal = "STDIN" in inputs.execd or pass -poll_interval`)
		}
	}
}

// Gather makes the requests with method gather due, and returns. One that is
// still waiting or running is not queued again; the tick is counted as skipped.
func (d *DLMS) Gather(telegraf.Accumulator) error {
	d.ticked.Store(true)
	now := time.Now()
	for _, l := range d.links {
		l.tick(now)
	}
	d.guests.each(func(l *link) { l.tick(now) })
	return nil
}

// Stop ends all links: associations are released, values read so far are still
// passed on. It returns within 4 s, even if a meter hangs or the accumulator
// does not take what it is given; nothing is given to it from then on.
func (d *DLMS) Stop() {
	if d.cancel == nil {
		return
	}
	d.live.Store(nil)
	d.cancel()
	d.cancel = nil
	ended := make(chan struct{})
	go func() {
		d.running.Wait()
		close(ended)
	}()
	t := time.NewTimer(stopPatience)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		d.Log.Warnf("Some links did not end within %s and are left behind", stopPatience)
	}
	d.out.close()
	d.closeState()
}

// newLinks groups the requests by endpoint, in the order of the file. only
// chooses some; nil is all that are enabled.
func (d *DLMS) newLinks(out *output, only func(*request) bool) []*link {
	var links []*link
	byEndpoint := map[endpoint]*link{}
	for _, r := range d.requests {
		if r.passive || r.endpoint.listening() || only != nil && !only(r) || only == nil && !r.enabled {
			continue
		}
		l := byEndpoint[r.endpoint]
		if l == nil {
			l = newLink(d, r.endpoint, out)
			byEndpoint[r.endpoint] = l
			links = append(links, l)
		}
		l.add(r)
	}
	return links
}

// noLog is for hosts that set no logger.
type noLog struct{ telegraf.Logger }

func (noLog) Errorf(string, ...any) {}
func (noLog) Error(...any)          {}
func (noLog) Warnf(string, ...any)  {}
func (noLog) Warn(...any)           {}
func (noLog) Infof(string, ...any)  {}
func (noLog) Info(...any)           {}
func (noLog) Debugf(string, ...any) {}
func (noLog) Debug(...any)          {}
