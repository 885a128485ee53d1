package dlms

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

// TestAwkwardMeter reads in every way from a meter that is awkward in many.
func TestAwkwardMeter(t *testing.T) {
	for _, cfg := range []ConnConfig{hdlcConfig, wrapperConfig} {
		for _, info := range []int{62, 128} {
			t.Run(fmt.Sprint(cfg.Framing, info), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					framing := dlmstest.FramingHDLC
					if cfg.Framing == Wrapper {
						framing = dlmstest.FramingWrapper
					}
					m := dlmstest.NewMeter(dlmstest.AwkwardConfig(framing, info), dlmstest.NewAwkward())
					near, far := net.Pipe()
					done := make(chan struct{})
					go func() {
						defer close(done)
						_ = m.ServeConn(context.Background(), far)
					}()
					c, err := NewConn(near, cfg)
					require.NoError(t, err)
					readAwkward(t, c)
					require.NoError(t, c.Close())
					<-done
					synctest.Wait()
				})
			})
		}
	}
}

func readAwkward(t *testing.T, c *Conn) {
	ctx := context.Background()
	a, err := c.Associate(ctx, AssociationConfig{})
	require.NoError(t, err)
	require.Equal(t, 1, a.ListSize(), "it has no lists")
	var ats []cosem.Attribute
	for n := 1; n <= 8; n++ {
		ats = append(ats, cosem.Attribute{Class: cosem.Register, Instance: dlmstest.AwkwardRegister(n), ID: 2})
	}
	ats = append(ats, cosem.Attribute{Class: cosem.Register, Instance: dlmstest.AwkwardDemand, ID: 2},
		cosem.Attribute{Class: cosem.Register, Instance: dlmstest.AwkwardDenied, ID: 3})
	var texts []string
	require.NoError(t, a.GetList(ctx, ats, func(_ int, d axdr.Data, err error) {
		if err != nil {
			var access *AccessError
			require.ErrorAs(t, err, &access)
			texts = append(texts, access.Result.String())
			return
		}
		v, ok := d.Int64()
		require.True(t, ok)
		texts = append(texts, fmt.Sprint(v))
	}))
	require.Equal(t, []string{"8000000", "9000000", "10000000", "11000000", "12000000", "13000000", "14000000", "15000000",
		"object-class-inconsistent", "read-write-denied"}, texts)
	buffer := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: dlmstest.AwkwardProfile, ID: 2}
	d, err := a.Get(ctx, buffer, nil)
	require.NoError(t, err)
	require.Equal(t, 1, d.Depth()-1)
	rows := 0
	require.NoError(t, a.GetRows(ctx, buffer, nil, func(axdr.Data) error { rows++; return nil }))
	require.Equal(t, dlmstest.AwkwardRows, rows)
	require.NoError(t, a.Release(ctx))
}
