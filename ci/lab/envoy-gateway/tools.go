//go:build tools

package lab

import (
	_ "github.com/envoyproxy/gateway/cmd/envoy-gateway"
)
