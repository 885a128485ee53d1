package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCounterReady: it reserves, and uses up nothing.
func TestCounterReady(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	c, err := s.Counter(id)
	require.NoError(t, err)
	require.NoError(t, c.Ready(), "of one that is not known nothing can be said")
	_, err = c.Next()
	require.ErrorIs(t, err, ErrUnknown)
	require.NoError(t, c.Raise(7))
	for range 3 {
		require.NoError(t, c.Ready())
	}
	for want := range uint32(block) {
		v, err := c.Next()
		require.NoError(t, err)
		require.Equal(t, 7+want, v)
	}
	require.NoError(t, c.Ready())
	require.NoError(t, c.Raise(lastValue))
	var exhausted *ExhaustedError
	require.ErrorAs(t, c.Ready(), &exhausted)
	require.NoError(t, s.Close())
	s = open(t, dir)
	c, err = s.Counter("another")
	require.NoError(t, err)
	require.NoError(t, c.Raise(1))
	for range block {
		_, err = c.Next()
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	require.ErrorIs(t, c.Ready(), ErrClosed)
}
