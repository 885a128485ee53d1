package dlms_cosem

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
)

// releaseTime is what ending an association may take: it is a courtesy.
const releaseTime = time.Second

// outcome is what a run has brought.
type outcome struct {
	at       time.Time // of the metrics: when the first read request was sent
	duration time.Duration
	result   result
	err      error // why the run failed, or ended early
	stats    dlms.Stats

	readings []reading // one per item; nil if it did not come so far
	ok       int       // items that gave a value
	failed   int       // items that did not

	associated   bool
	openTook     time.Duration     // until the association was there; 0: not known
	loginRefused bool              //
	password     [sha256.Size]byte // print of the password used
	canceled     bool              // we ended it ourselves
	complete     bool              // to repeat it would bring nothing more

	rows, gaps  int64          // of a profile: rows that were new, and rows that are missing between them
	clockOffset *time.Duration // of the meter's clock from ours; nil: not known
	more        bool           // there is more to read, not before ready
	ready       time.Time
}

// unreachable reports whether the device is to be left alone for a while: not
// because of what is missing here.
func (o *outcome) unreachable() bool {
	if o.err == nil || o.ok > 0 {
		return false
	}
	var password *passwordError
	var withheld *withheldError
	return !errors.As(o.err, &password) && !errors.As(o.err, &withheld)
}

// run reads the items of a request from one device. short limits the time to
// open the association; 0 is no limit of its own.
func (l *link) run(ctx context.Context, r *request, st *station, short time.Duration) *outcome {
	return (&session{l: l, r: r, st: st}).outcome(ctx, short)
}

// outcome waits for its turn to connect, if it has to, runs the session and
// judges it.
func (s *session) outcome(ctx context.Context, short time.Duration) *outcome {
	o := &outcome{at: time.Now()}
	s.o = o
	m := s.memory()
	if err := m.load(s.l.d.kept); err != nil {
		s.l.d.Log.Warnf("%s: What was learned in earlier runs cannot be used: %v; it is learned anew", s.r.where(s.st.device), err)
	}
	m.age(o.at)
	login, password, err := s.r.login()
	o.password = password
	resumed := err == nil && s.resume(password)
	if err == nil && !resumed {
		s.free, err = s.l.d.slot(ctx)
	}
	if err == nil {
		began := time.Now()
		o.at = began
		err = s.run(ctx, short, login, resumed)
		o.duration = time.Since(began)
	}
	o.canceled = err != nil && ctx.Err() != nil
	s.conclude(err)
	if err := m.save(s.l.d.kept); err != nil {
		s.l.d.Log.Warnf("%s: What was learned cannot be kept for the next start: %v", s.r.where(s.st.device), err)
	}
	return o
}

// slot waits until another connection may be opened. Many at once would be a
// storm for the network; those that take long do not hold up the others.
func (d *DLMS) slot(ctx context.Context) (free func(), err error) {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release := func() { <-d.slots }
	t := time.AfterFunc(dialSlot, release)
	return func() {
		if t.Stop() {
			release()
		}
	}, nil
}

// run keeps to the request's timeout.
func (s *session) run(ctx context.Context, short time.Duration, login dlms.AssociationConfig, resumed bool) error {
	if s.r.profile != nil { // what is read in many steps takes longer than any one of them: each has a limit
		return s.exchange(ctx, short, login, resumed)
	}
	return s.budget(ctx, func(ctx context.Context) error { return s.exchange(ctx, short, login, resumed) })
}

// budget limits a request, or a step of a profile, to the timeout.
func (s *session) budget(ctx context.Context, do func(context.Context) error) error {
	limit := s.r.timeout
	if s.wantsNames() {
		limit *= namesTimeouts
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	err := do(limited)
	// The deadline of a connection may pass a moment before the timer of the context that set it.
	if err != nil && ctx.Err() == nil && (limited.Err() != nil || time.Since(began) >= limit) {
		err = &budgetError{limit: limit.String(), stats: s.o.stats, err: err}
	}
	return err
}

// exchange reads over the association of the run before, or over a new one. If
// the old one turns out to be dead, which may show only with the first request,
// it is replaced once, without a word.
func (s *session) exchange(ctx context.Context, short time.Duration, login dlms.AssociationConfig, resumed bool) error {
	if resumed {
		s.o.associated, s.o.at = true, time.Now()
		s.as.Resume()
		err := s.work(ctx)
		if s.answers > 0 || ctx.Err() != nil {
			s.end(ctx, err)
			return err
		}
		s.l.d.Log.Debugf("%s: The association that was kept open is gone (%v): opening another one", s.r.where(s.st.device), err)
		s.end(ctx, errStale)
		s.o.associated, s.readings = false, nil
	}
	began := time.Now()
	if err := s.openLimited(ctx, short, login); err != nil {
		return err
	}
	s.o.associated = true
	if s.conn.Stats().Retries == s.began.Retries { // else it tells what our timeouts are, not how slow the meter is
		s.o.openTook = time.Since(began)
	}
	s.o.at = time.Now()
	err := s.work(ctx)
	s.end(ctx, err)
	return err
}

// openLimited is open, which has a limit of its own where not all of the
// exchange has one.
func (s *session) openLimited(ctx context.Context, short time.Duration, login dlms.AssociationConfig) error {
	if s.r.profile == nil {
		return s.open(ctx, short, login)
	}
	return s.budget(ctx, func(ctx context.Context) error { return s.open(ctx, short, login) })
}

// work is what an association is there for.
func (s *session) work(ctx context.Context) error {
	if s.r.profile != nil {
		return s.readProfile(ctx)
	}
	return s.read(ctx)
}

// errStale ends an association that has died while it was kept.
var errStale = errors.New("the association was kept open and is gone")

// open has the association opened, over the connection of the device before if
// there is one. If that one has died meanwhile, a new one is tried, once.
func (s *session) open(ctx context.Context, short time.Duration, login dlms.AssociationConfig) error {
	defer s.freeSlot()
	if short > 0 {
		if s.r.signOn != nil {
			short = max(short, signOnTime)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, short)
		defer cancel()
	}
	if err := s.arm(ctx, &login); err != nil {
		return err
	}
	for {
		t, reused, err := s.connect(ctx)
		if err != nil {
			return err
		}
		if port, ok := t.(line); ok {
			if err := port.Configure(s.characters(), s.l.unsettled); err != nil {
				_ = t.Close()
				if reused {
					continue // it was unplugged, or given up
				}
				return &connectError{endpoint: s.l.endpoint.address, err: err}
			}
			s.l.unsettled = false
		}
		cfg := s.r.connConfig(s.st.device, s.memory())
		if err := s.askForHDLC(ctx, t, cfg); err != nil {
			s.leaveTransport(t, err)
			return err
		}
		if short > 0 && s.st.health.bare() {
			cfg.MaxInfo = bareInfo
		}
		conn, err := dlms.NewConn(t, cfg)
		if err != nil {
			_ = t.Close()
			return err
		}
		s.call = &call{transport: t, conn: conn, r: s.r, st: s.st, key: s.callKey(s.o.password)}
		s.began = dlms.Stats{}
		s.memory().Proposal.apply(&login)
		if s.as, err = conn.Associate(ctx, login); err == nil {
			s.fresh, s.o.loginRefused = true, false
			return nil
		}
		s.o.loginRefused = refusedLogin(err) || cannotDecipher(err)
		s.end(ctx, err)
		if ctx.Err() == nil && s.proposeLess(err) || s.raise(ctx, err) {
			continue
		}
		if !reused || !connectionLost(err) || ctx.Err() != nil {
			return err
		}
		s.l.hangUp()
	}
}

// connect returns the connection that was kept for the next device, or a new one.
func (s *session) connect(ctx context.Context) (t dlms.Transport, reused bool, err error) {
	l := s.l
	if t := l.takeTransport(s.r); t != nil {
		return t, true, nil
	}
	if s.free == nil {
		if s.free, err = l.d.slot(ctx); err != nil {
			return nil, false, err
		}
	}
	defer s.freeSlot()
	ctx, cancel := context.WithTimeout(ctx, s.r.connectTimeout)
	defer cancel()
	if l.guest != nil {
		return l.guest.open(), false, nil
	}
	t, err = l.d.Dial(ctx, l.endpoint.String())
	if err != nil {
		return nil, false, &connectError{endpoint: l.endpoint.address, err: err}
	}
	return t, false, nil
}

// freeSlot lets another connection be opened.
func (s *session) freeSlot() {
	if s.free != nil {
		s.free()
		s.free = nil
	}
}

// end takes note of what the connection has brought, and gives it back to the
// link, which keeps it for the next run or ends it.
func (s *session) end(ctx context.Context, err error) {
	conn := s.conn
	s.used = time.Now()
	s.memory().learnLink(conn.Learned(), s.used)
	s.l.settle(ctx, s.call, err)
	s.o.stats = add(s.o.stats, minus(conn.Stats(), s.began))
}

func add(a, b dlms.Stats) dlms.Stats {
	a.RoundTrips += b.RoundTrips
	a.Retries += b.Retries
	a.FrameErrors += b.FrameErrors
	a.Dropped += b.Dropped
	a.TxBytes += b.TxBytes
	a.RxBytes += b.RxBytes
	return a
}

func minus(a, b dlms.Stats) dlms.Stats {
	a.RoundTrips -= b.RoundTrips
	a.Retries -= b.Retries
	a.FrameErrors -= b.FrameErrors
	a.Dropped -= b.Dropped
	a.TxBytes -= b.TxBytes
	a.RxBytes -= b.RxBytes
	return a
}
