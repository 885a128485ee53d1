package state

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSaveAll(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, "a.conf")
	require.NoError(t, err)
	values := map[string]any{}
	for i := range 10_000 {
		values[strconv.Itoa(i)] = i
	}
	require.NoError(t, s.SaveAll("push", values))
	require.NoError(t, s.SaveAll("push", nil))
	require.Error(t, s.SaveAll("push", map[string]any{"x": make(chan int)}))
	require.NoError(t, s.Close())
	s, err = Open(dir, "a.conf")
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	var n int
	found, err := s.Load("push", "9999", &n)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, 9999, n)
	require.Error(t, func() error { c, _ := Open(t.TempDir(), "b.conf"); _ = c.Close(); return c.SaveAll("b", values) }())
}
