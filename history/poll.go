package history

import (
	"context"
	"time"
)

// poll looks at all processes every interval, until ctx ends. What is born and
// ends in between is not seen.
func (k *Keeper) poll(ctx context.Context) {
	ticker := time.NewTicker(k.o.Interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		k.heal()
	}
}
