package dlms_cosem

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/control"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

const lentID = "5447440102030405 0011223344556677"

// lending is a running instance that lends its counters over its socket.
func lending(t *testing.T, dir string) (own *state.Store, lent *lentState, stop func()) {
	t.Helper()
	d := &DLMS{ConfigPath: "dlms.conf"}
	own, err := state.Open(dir, d.ConfigPath)
	require.NoError(t, err)
	d.counters.begin(ownState{own}, nil, nil)
	server, err := control.Listen(dir, state.Name(d.ConfigPath), func(_ context.Context, command string, args []string) (string, error) {
		require.Equal(t, CounterCommand, command)
		return d.Lend(args)
	})
	require.NoError(t, err)
	stop = func() {
		d.counters.end()
		server.Close()
		require.NoError(t, own.Close())
	}
	return own, newLentState(dir, state.Name(d.ConfigPath)), stop
}

// shortDir is a directory whose name fits a socket's address.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "l")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestLend: what another process gets of a counter nobody else gets, in the
// order in which it is asked for, and no later run does.
func TestLend(t *testing.T) {
	dir := shortDir(t)
	own, lent, stop := lending(t, dir)
	want, err := own.Title()
	require.NoError(t, err)
	title, err := lent.Title()
	require.NoError(t, err)
	require.Equal(t, want, title)

	theirs, err := lent.Counter(lentID)
	require.NoError(t, err)
	require.False(t, theirs.Known())
	_, err = theirs.Next()
	require.ErrorContains(t, err, state.ErrUnknown.Error())
	require.NoError(t, theirs.Raise(1000))
	require.True(t, theirs.Known())
	require.Equal(t, ^uint32(0)-1000, theirs.Left())
	require.NoError(t, theirs.Ready())
	ours, err := own.Counter(lentID)
	require.NoError(t, err)
	next := uint32(1000)
	for i := range 250 { // over the ends of blocks
		c := keyCounter(ours)
		if i%3 == 0 {
			c = theirs
		}
		n, err := c.Next()
		require.NoError(t, err)
		require.Equal(t, next, n)
		next++
	}
	require.NoError(t, theirs.Raise(5), "it is never lowered")
	n, err := theirs.Next()
	require.NoError(t, err)
	require.Equal(t, next, n)

	require.False(t, lent.Asked("a meter"))
	require.NoError(t, lent.Note("a meter"))
	require.True(t, lent.Asked("a meter"))
	require.True(t, ownState{own}.Asked("a meter"))

	stop()
	_, err = theirs.Next()
	var gone *control.NotRunningError
	require.ErrorAs(t, err, &gone)
	require.Equal(t, "the other program that has the state lends none: wait until it has ended, or end it", Hint(withheld(err, lentID)))
	again, err := state.Open(dir, "dlms.conf")
	require.NoError(t, err)
	defer func() { _ = again.Close() }()
	later, err := again.Counter(lentID)
	require.NoError(t, err)
	n, err = later.Next()
	require.NoError(t, err)
	require.Equal(t, next+1, n)
}

// TestLendEnds: a counter that is used up is so for the borrower too, in the same
// words.
func TestLendEnds(t *testing.T) {
	_, lent, stop := lending(t, shortDir(t))
	defer stop()
	c, err := lent.Counter(lentID)
	require.NoError(t, err)
	require.NoError(t, c.Raise(^uint32(0)-2))
	for range 2 {
		_, err = c.Next()
		require.NoError(t, err)
	}
	for _, err := range []error{c.Ready(), func() error { _, err := c.Next(); return err }()} {
		var exhausted *state.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		require.EqualError(t, withheld(err, lentID), "invocation counter: it is used up (0xffffffff): the meter needs a new key, nothing can be sent with this one any more")
		require.Equal(t, resultAuth, classify(withheld(err, lentID)))
		require.Contains(t, Hint(withheld(err, lentID)), "ask the utility for new keys")
	}
}

// TestLendRefuses what it does not understand, and what is no counter.
func TestLendRefuses(t *testing.T) {
	_, lent, stop := lending(t, shortDir(t))
	for call, want := range map[string]string{
		"":                       "a verb is expected",
		"title 1":                "counter title with 1 argument is not known: the running instance may be of another version",
		"take " + lentID:         "counter take with 2 arguments is not known",
		"next":                   "counter next with 0 arguments is not known",
		"next x":                 "that is no id of an invocation counter",
		"raise meta 5":           "that is no id of an invocation counter",
		"next ../" + lentID[:13]: "that is no id of an invocation counter",
	} {
		_, err := lent.call(strings.Fields(call)...)
		require.ErrorContains(t, err, want, call)
	}
	_, err := lent.call(verbRaise, lentID, "4294967296")
	require.ErrorContains(t, err, "a number of 32 bits is expected")
	stop()

	d := &DLMS{}
	_, err = d.Lend([]string{verbTitle})
	require.EqualError(t, err, "it has just been started: try again")
	d.counters.end()
	_, err = d.Lend([]string{verbTitle})
	require.ErrorContains(t, err, state.ErrClosed.Error())
	d.counters.begin(lent, nil, nil)
	_, err = d.Lend([]string{verbTitle})
	require.EqualError(t, err, "it has no state itself", "what is borrowed is not lent on")
}

// TestCounterSource: where neither the file nor its owner can be had it is looked
// for again, but not at once.
func TestCounterSource(t *testing.T) {
	var c counterSource
	tries := 0
	c.begin(nil, state.ErrNoFile, func() (counterState, error) { tries++; return nil, state.ErrNoFile })
	_, err := c.get()
	require.ErrorIs(t, err, state.ErrNoFile)
	require.Zero(t, tries, "it was tried just now")
	c.looked = c.looked.Add(-2 * lookPause)
	_, err = c.get()
	require.ErrorIs(t, err, state.ErrNoFile)
	_, _ = c.get()
	require.Equal(t, 1, tries)

	own, err := state.Open(t.TempDir(), "dlms.conf")
	require.NoError(t, err)
	c.find = func() (counterState, error) { return ownState{own}, nil }
	c.looked = c.looked.Add(-2 * lookPause)
	got, err := c.get()
	require.NoError(t, err)
	require.Equal(t, ownState{own}, got)
	c.forget(got)
	got, err = c.get()
	require.NoError(t, err)
	require.Equal(t, ownState{own}, got, "the own one stays")
	c.end()
	_, err = own.Title()
	require.ErrorIs(t, err, state.ErrClosed)
	_, err = c.get()
	require.ErrorIs(t, err, state.ErrClosed)
}
