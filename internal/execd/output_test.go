package execd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/metric"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var noon = time.Unix(1766000000, 0)

// recorder keeps each write.
type recorder struct {
	mu     sync.Mutex
	writes []string
}

func (r *recorder) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, string(b))
	return len(b), nil
}

func (r *recorder) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.writes...)
}

func (r *recorder) String() string { return strings.Join(r.all(), "") }

func accumulate(t *testing.T) (*Accumulator, *recorder, *recorder) {
	t.Helper()
	out, errs := &recorder{}, &recorder{}
	acc := NewAccumulator(out, NewLogger(errs, false))
	t.Cleanup(acc.Close)
	return acc, out, errs
}

func TestAccumulatorLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		metric string
		tags   map[string]string
		fields map[string]any
		out    string
		err    string
	}{
		{"sorted", "m", map[string]string{"b": "2", "a": "1", "c": "3"}, map[string]any{"z": 1.5, "a": int64(2), "m": true},
			"m,a=1,b=2,c=3 a=2i,m=true,z=1.5 1766000000000000000\n", ""},
		{"large float", "m", nil, map[string]any{"value": 12345678.0}, "m value=1.2345678e+07 1766000000000000000\n", ""},
		{"empty tag", "m", map[string]string{"a": "", "b": "x"}, map[string]any{"v": 1.0}, "m,b=x v=1 1766000000000000000\n", ""},
		{"escapes", "m x", map[string]string{"a b": "c,d=e"}, map[string]any{"v": `say "x\y"`}, `m\ x,a\ b=c\,d\=e v="say \"x\\y\"" 1766000000000000000` + "\n", ""},
		{"unsigned", "m", nil, map[string]any{"a": uint64(1), "b": uint64(math.MaxUint64)}, "m a=1i,b=9223372036854775807i 1766000000000000000\n", ""},
		{"not finite", "m", nil, map[string]any{"a": math.NaN(), "b": math.Inf(1), "c": 1.0}, "m c=1 1766000000000000000\n", ""},
		{"only NaN", "m", nil, map[string]any{"a": math.NaN()}, "", ""},
		{"no field", "m", map[string]string{"a": "b"}, nil, "", ""},
		{"control characters", "m", map[string]string{"a\x00": "b\nc\x7f\xff", "t": `C:\`}, map[string]any{"v": "x\xff"}, "m,a\\ =b\\ c\\ \ufffd,t=C: v=\"x\ufffd\" 1766000000000000000\n", ""},
		{"no name", "", nil, map[string]any{"v": 1.0}, "", "E! metric \"\" has no line protocol and is dropped: invalid measurement \"\"\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			acc, out, errs := accumulate(t)
			acc.AddFields(c.metric, c.fields, c.tags, noon)
			require.Equal(t, c.out, out.String())
			require.Equal(t, c.err, errs.String())
		})
	}
}

func TestAccumulatorKinds(t *testing.T) {
	t.Parallel()
	acc, out, errs := accumulate(t)
	fields := map[string]any{"v": 1.0}
	acc.SetPrecision(time.Hour)
	acc.AddGauge("gauge", fields, nil, noon)
	acc.AddCounter("counter", fields, nil, noon)
	acc.AddSummary("summary", fields, nil, noon)
	acc.AddHistogram("histogram", fields, nil, noon)
	acc.AddError(nil)
	acc.AddError(errors.Join(errors.New("one"), errors.New("two")))
	require.Equal(t, []string{
		"gauge v=1 1766000000000000000\n", "counter v=1 1766000000000000000\n",
		"summary v=1 1766000000000000000\n", "histogram v=1 1766000000000000000\n",
	}, out.all())
	require.Equal(t, "E! one; two\n", errs.String())
}

func TestAccumulatorNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		acc, out, _ := accumulate(t)
		acc.AddFields("m", map[string]any{"v": 1.0}, nil)
		require.Equal(t, fmt.Sprintf("m v=1 %d\n", time.Now().UnixNano()), out.String())
		acc.Close()
	})
}

// A metric longer than one write becomes several, with the same tags and time,
// and each write holds whole lines.
func TestAccumulatorSplits(t *testing.T) {
	t.Parallel()
	acc, out, errs := accumulate(t)
	fields := map[string]any{"huge": strings.Repeat("x", MaxWrite)}
	for i := range 400 {
		fields[fmt.Sprintf("field_%03d", i)] = float64(i) + 0.25
		fields[fmt.Sprintf("text_%03d", i)] = strings.Repeat("ü\"", i%9)
	}
	acc.AddFields("wide", fields, map[string]string{"meter": "main meter", "source": "x"}, noon)

	seen := map[string]any{}
	writes := out.all()
	require.Greater(t, len(writes), 3)
	for i, w := range writes {
		require.LessOrEqual(t, len(w), MaxWrite)
		if i < len(writes)-1 {
			require.Greater(t, len(w), MaxWrite-64, "as few lines as possible")
		}
		require.Equal(t, 1, strings.Count(w, "\n"))
		require.True(t, strings.HasPrefix(w, `wide,meter=main\ meter,source=x `))
		require.True(t, strings.HasSuffix(w, " 1766000000000000000\n"))
		for k, v := range decodeFields(t, w) {
			require.NotContains(t, seen, k)
			seen[k] = v
		}
	}
	delete(fields, "huge")
	require.Equal(t, fields, seen)
	require.Equal(t, "E! metric \"wide\": dropped, because a line with it is longer than 4096 octets: field huge\n", errs.String())
}

func decodeFields(t *testing.T, line string) map[string]any {
	t.Helper()
	out := map[string]any{}
	d := lineprotocol.NewDecoderWithBytes([]byte(line))
	for d.Next() {
		_, err := d.Measurement()
		require.NoError(t, err)
		for {
			key, _, err := d.NextTag()
			require.NoError(t, err)
			if key == nil {
				break
			}
		}
		for {
			key, value, err := d.NextField()
			require.NoError(t, err)
			if key == nil {
				break
			}
			out[string(key)] = value.Interface()
		}
	}
	return out
}

// At each length around the limit a write stays whole and within it.
func TestAccumulatorAtTheLimit(t *testing.T) {
	t.Parallel()
	acc, out, errs := accumulate(t)
	overhead := len("m a=\"\" 1766000000000000000\n")
	for n := MaxWrite - overhead - 3; n <= MaxWrite-overhead; n++ {
		acc.AddFields("m", map[string]any{"a": strings.Repeat("x", n)}, nil, noon)
	}
	require.Len(t, out.all(), 4)
	require.Empty(t, errs.String())
	require.Len(t, out.all()[3], MaxWrite)
	acc.AddFields("m", map[string]any{"a": strings.Repeat("x", MaxWrite-overhead+1)}, nil, noon)
	require.Len(t, out.all(), 4)
	require.NotEmpty(t, errs.String())
	acc.AddFields("m", map[string]any{"a": strings.Repeat("x", MaxWrite-overhead-8), "b": strings.Repeat("y", 8)}, nil, noon)
	require.Len(t, out.all(), 6)
	acc.AddFields("m", map[string]any{"v": 1.0}, map[string]string{"t": strings.Repeat("x", MaxWrite)}, noon)
	require.Len(t, out.all(), 6)
}

// Lines that wait together share writes, and none is torn or lost.
func TestAccumulatorManyAtOnce(t *testing.T) {
	defer goleak.VerifyNone(t)
	out := &recorder{}
	acc := NewAccumulator(out, NewLogger(io.Discard, false))
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 20 {
				acc.AddFields("m", map[string]any{"v": int64(i)}, map[string]string{"g": fmt.Sprint(g), "x": strings.Repeat("x", 100)}, noon)
			}
		})
	}
	wg.Wait()
	acc.Close()
	lines := 0
	next := map[string]int64{}
	for _, w := range out.all() {
		require.LessOrEqual(t, len(w), MaxWrite)
		require.True(t, strings.HasSuffix(w, "\n"))
		for line := range strings.Lines(w) {
			lines++
			g := line[:strings.Index(line, ",x=")]
			require.Equal(t, next[g], decodeFields(t, line)["v"], "in the order of each goroutine")
			next[g]++
		}
	}
	require.Equal(t, 1000, lines)
}

func TestAccumulatorBlocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		acc := NewAccumulator(w, NewLogger(io.Discard, false))
		returned := make(chan struct{})
		for range 3 {
			go func() {
				acc.AddFields("m", map[string]any{"v": 1.0}, nil, noon)
				returned <- struct{}{}
			}()
		}
		time.Sleep(time.Hour)
		select {
		case <-returned:
			t.Fatal("an Add returned before its line was written")
		default:
		}
		require.Equal(t, time.Hour, acc.stuck())
		acc.Close()
		for range 3 {
			<-returned
		}
		acc.AddFields("m", map[string]any{"v": 1.0}, nil, noon) // returns, too
		require.NoError(t, r.Close())
	})
}

func TestAccumulatorClosedOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		require.NoError(t, r.Close())
		acc := NewAccumulator(w, NewLogger(io.Discard, false))
		acc.AddFields("m", map[string]any{"v": 1.0}, nil, noon)
		<-acc.Failed()
		require.ErrorIs(t, acc.Err(), io.ErrClosedPipe)
		acc.AddFields("m", map[string]any{"v": 1.0}, nil, noon)
		require.Zero(t, acc.stuck())
	})
}

func TestTracking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		errs := &recorder{}
		acc := NewAccumulator(w, NewLogger(errs, false))
		tracked := acc.WithTracking(3)
		one := func(v float64) telegraf.Metric {
			return metric.New("m", nil, map[string]any{"v": v}, noon)
		}
		ids := make(chan telegraf.TrackingID)
		go func() { ids <- tracked.AddTrackingMetric(one(1)) }()
		time.Sleep(time.Second)
		require.Empty(t, tracked.Delivered(), "the write has not returned")
		buf := make([]byte, 100)
		n, err := r.Read(buf)
		require.NoError(t, err)
		require.Equal(t, "m v=1 1766000000000000000\n", string(buf[:n]))
		id := <-ids
		info := <-tracked.Delivered()
		require.Equal(t, id, info.ID())
		require.True(t, info.Delivered())

		half := func() telegraf.Metric {
			return metric.New("m", nil, map[string]any{"text": strings.Repeat("x", MaxWrite/2)}, noon)
		}
		go func() { ids <- tracked.AddTrackingMetricGroup([]telegraf.Metric{half(), half()}) }()
		_, err = r.Read(make([]byte, MaxWrite))
		require.NoError(t, err)
		synctest.Wait()
		require.Empty(t, tracked.Delivered(), "half of the group")
		require.NoError(t, r.Close())
		id = <-ids
		info = <-tracked.Delivered()
		require.Equal(t, id, info.ID())
		require.False(t, info.Delivered())

		id = tracked.AddTrackingMetric(one(math.NaN())) // nothing to write is nothing lost
		info = <-tracked.Delivered()
		require.Equal(t, id, info.ID())
		require.True(t, info.Delivered())

		for range 4 {
			tracked.AddTrackingMetric(one(1))
		}
		require.Equal(t, "E! more metrics are tracked than the accumulator was made for\n", errs.String())
		acc.Close()
	})
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	log := NewLogger(&b, false)
	log.AddAttribute("a", 1)
	log.Errorf("a %d\n", 1)
	log.Error("b", 2, 3)
	log.Warnf("c\x1b[31m\td\r")
	log.Warn("e\nf\u2028\x00\xff")
	log.Infof("g")
	log.Info("h")
	log.Debugf("i")
	log.Debug("j")
	log.Tracef("k")
	log.Trace("l")
	require.Equal(t, "E! a 1\nE! b2 3\nW! c [31m d\nW! e; f  \ufffd\nI! g\nI! h\n", b.String())
	require.Equal(t, telegraf.Info, log.Level())

	b.Reset()
	log = NewLogger(&b, true)
	log.Debugf("i %s", "x")
	log.Debug("j")
	log.Trace("l")
	require.Equal(t, "D! i x\nD! j\n", b.String())
	require.Equal(t, telegraf.Debug, log.Level())
}
