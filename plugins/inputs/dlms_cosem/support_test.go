package dlms_cosem

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	_ "time/tzdata" // zones on hosts without zone files

	"github.com/BurntSushi/toml"
	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// point is a metric as it came.
type point struct {
	measurement string
	tags        map[string]string
	fields      map[string]any
	at          time.Time
}

// String is line protocol without escapes, and without the counts of octets.
func (p point) String() string {
	var b strings.Builder
	b.WriteString(p.measurement)
	for _, k := range sortedKeys(p.tags) {
		fmt.Fprintf(&b, ",%s=%s", k, p.tags[k])
	}
	sep := byte(' ')
	for _, k := range sortedKeys(p.fields) {
		if k == "rx_bytes" || k == "tx_bytes" {
			continue
		}
		b.WriteByte(sep)
		sep = ','
		switch v := p.fields[k].(type) {
		case string:
			fmt.Fprintf(&b, "%s=%q", k, v)
		case float64:
			fmt.Fprintf(&b, "%s=%s", k, strconv.FormatFloat(v, 'g', -1, 64))
		case int64:
			fmt.Fprintf(&b, "%s=%di", k, v)
		default:
			fmt.Fprintf(&b, "%s=%v", k, v)
		}
	}
	fmt.Fprintf(&b, " %d", p.at.UnixNano())
	return b.String()
}

// sink is an accumulator that keeps everything.
type sink struct {
	telegraf.Accumulator // the rest is not used
	mu                   sync.Mutex
	points               []point
	errs                 []string
	refuse               bool // nothing that is tracked is written
}

func (s *sink) AddFields(m string, fields map[string]any, tags map[string]string, t ...time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.points = append(s.points, point{m, maps.Clone(tags), maps.Clone(fields), t[0]}) // as Telegraf does
}

func (s *sink) AddError(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errs = append(s.errs, err.Error())
}

// WithTracking gives an accumulator whose metrics are written as soon as they are added.
func (s *sink) WithTracking(most int) telegraf.TrackingAccumulator {
	return &trackingSink{sink: s, delivered: make(chan telegraf.DeliveryInfo, most)}
}

type trackingSink struct {
	*sink
	delivered chan telegraf.DeliveryInfo
}

func (t *trackingSink) AddTrackingMetric(m telegraf.Metric) telegraf.TrackingID {
	return t.AddTrackingMetricGroup([]telegraf.Metric{m})
}

func (t *trackingSink) AddTrackingMetricGroup(group []telegraf.Metric) telegraf.TrackingID {
	t.mu.Lock()
	refuse := t.refuse
	if !refuse {
		for _, m := range group {
			t.points = append(t.points, point{m.Name(), m.Tags(), m.Fields(), m.Time()})
		}
	}
	t.mu.Unlock()
	group, id := metric.WithGroupTracking(group, func(info telegraf.DeliveryInfo) { t.delivered <- info })
	for _, m := range group {
		if refuse {
			m.Reject()
		} else {
			m.Accept()
		}
	}
	return id
}

func (t *trackingSink) Delivered() <-chan telegraf.DeliveryInfo { return t.delivered }

func (s *sink) all() []point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.points)
}

func (s *sink) errors() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.errs)
}

// results lists the results of the status metrics that a filter lets through.
func (s *sink) results(tags ...string) (list []string) {
	for _, p := range s.all() {
		if p.measurement == statusMeasurement && p.has(tags...) {
			list = append(list, p.tags["result"])
		}
	}
	return list
}

func (p point) has(tags ...string) bool {
	for pair := range slices.Chunk(tags, 2) {
		if p.tags[pair[0]] != pair[1] {
			return false
		}
	}
	return true
}

func (s *sink) values(tags ...string) (list []point) {
	for _, p := range s.all() {
		if p.measurement == valueMeasurement && p.has(tags...) {
			list = append(list, p)
		}
	}
	return list
}

// journal is a logger that keeps everything.
type journal struct {
	noLog
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(level, s string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, level+s)
}
func (j *journal) Warnf(f string, a ...any)  { j.add("W! ", fmt.Sprintf(f, a...)) }
func (j *journal) Warn(a ...any)             { j.add("W! ", fmt.Sprint(a...)) }
func (j *journal) Infof(f string, a ...any)  { j.add("I! ", fmt.Sprintf(f, a...)) }
func (j *journal) Info(a ...any)             { j.add("I! ", fmt.Sprint(a...)) }
func (j *journal) Debugf(f string, a ...any) { j.add("D! ", fmt.Sprintf(f, a...)) }

func (j *journal) at(level string) (list []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range j.lines {
		if strings.HasPrefix(l, level) {
			list = append(list, l)
		}
	}
	return list
}

// network is where the plugin dials in tests: meters behind net.Pipe.
type network struct {
	t     testing.TB
	mu    sync.Mutex
	hosts map[string]*host
	wg    sync.WaitGroup
	ctx   context.Context //nolint:containedctx // the life of a test
	dials []string
	ends  []net.Conn // the meters' ends of the connections
}

// host is what an endpoint leads to.
type host struct {
	meter *dlmstest.Meter
	plan  fault.Plan
	err   error         // of dialing
	hang  bool          // dialing takes until it is given up
	mute  bool          // connections are taken and nothing more
	reply []byte        // what a mute host says to everything
	flood []byte        // what a host says without end, whatever is asked
	delay time.Duration // of dialing

	serve func(ctx context.Context, c net.Conn) // in place of the meter
}

func newNetwork(t testing.TB) *network {
	ctx, cancel := context.WithCancel(context.Background())
	n := &network{t: t, hosts: map[string]*host{}, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		n.wg.Wait()
	})
	return n
}

// set changes what an endpoint leads to, as if a meter were switched off or on.
func (n *network) set(address string, h *host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hosts[address] = h
}

// cut closes all connections from the meters' side.
func (n *network) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.ends {
		_ = c.Close()
	}
	n.ends = nil
}

func (n *network) dialed() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dials)
}

func (n *network) dial(ctx context.Context, address string) (dlms.Transport, error) {
	n.mu.Lock()
	h := n.hosts[address]
	if h == nil {
		h = n.hosts[""]
	}
	n.dials = append(n.dials, address)
	n.mu.Unlock()
	switch {
	case h == nil:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("connect: %w", syscall.ECONNREFUSED)}
	case h.err != nil:
		return nil, h.err
	case h.hang:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()}
	}
	if h.delay > 0 {
		select {
		case <-time.After(h.delay):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	client, server := net.Pipe()
	n.mu.Lock()
	n.ends = append(n.ends, server)
	n.mu.Unlock()
	if h.flood != nil {
		n.wg.Go(func() {
			for {
				if _, err := server.Write(h.flood); err != nil {
					return
				}
				<-time.After(10 * time.Millisecond)
			}
		})
	}
	n.wg.Go(func() {
		if h.serve != nil {
			h.serve(n.ctx, server)
			return
		}
		if h.mute {
			b := make([]byte, 1024)
			for {
				if _, err := server.Read(b); err != nil {
					_ = server.Close()
					return
				}
				if len(h.reply) == 0 {
					continue
				}
				if _, err := server.Write(h.reply); err != nil {
					_ = server.Close()
					return
				}
			}
		}
		_ = h.meter.ServeConn(n.ctx, server)
	})
	return fault.Wrap(client, h.plan), nil
}

// plugin reads a configuration and prepares the plugin on a network.
func plugin(t testing.TB, n *network, conf string) (*DLMS, *journal) {
	d := decodeConf(t, conf)
	j := &journal{}
	d.Log = j
	d.State = state.Memory()
	if n != nil {
		d.Dial = n.dial
	}
	return d, j
}

func decodeConf(t testing.TB, conf string) *DLMS {
	var file struct {
		Inputs struct {
			DLMS []*DLMS `toml:"dlms_cosem"`
		} `toml:"inputs"`
	}
	md, err := toml.Decode(conf, &file)
	require.NoError(t, err)
	require.Empty(t, md.Undecoded())
	require.Len(t, file.Inputs.DLMS, 1)
	return file.Inputs.DLMS[0]
}

// meter makes a meter of meter.toml.
func meter(t testing.TB, text string) *dlmstest.Meter {
	m := meterConfig(t, text)
	return dlmstest.NewMeter(m.cfg, m.objects)
}

type meterParts struct {
	objects dlmstest.Objects
	cfg     dlmstest.Config
}

func meterConfig(t testing.TB, text string) meterParts {
	objects, cfg, err := simmeter.Parse(text)
	require.NoError(t, err)
	return meterParts{objects, cfg}
}
