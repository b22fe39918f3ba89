//go:build tools

package lab

import (
	_ "github.com/traefik/traefik/v3/cmd/traefik"
)
