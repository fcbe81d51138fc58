package adapters

import (
	"net/http"

	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/lanyard-go/lanyard"
)

// Echo is the application in echo. Sessions is the manager's Handler, as
// middleware; or nothing, if Handler stands around the whole router.
func Echo(a *App, sessions ...func(http.Handler) http.Handler) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip())
	for _, s := range sessions {
		e.Use(echo.WrapMiddleware(s))
	}
	e.POST("/login", echo.WrapHandler(http.HandlerFunc(a.Login)))
	e.POST("/logout", echo.WrapHandler(http.HandlerFunc(a.Logout)))

	own := e.Group("", echo.WrapMiddleware(a.SignedIn))
	own.POST("/confirm", echo.WrapHandler(http.HandlerFunc(a.Confirm)))
	own.GET("/events", echo.WrapHandler(http.HandlerFunc(a.Events)))
	own.GET("/socket", echo.WrapHandler(http.HandlerFunc(a.Socket)))
	own.GET("/broken", func(*echo.Context) error { broken(); return nil })
	own.GET("/me", func(c *echo.Context) error {
		return c.JSON(http.StatusOK, a.profile(lanyard.From(c.Request().Context())))
	})
	own.PUT("/settings/:name", func(c *echo.Context) error {
		if err := a.set(lanyard.From(c.Request().Context()), c.Param("name"), c.Request().Body); err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, "cannot be read")
		}
		return c.NoContent(http.StatusOK)
	}, echo.WrapMiddleware(a.Recent))
	return e
}
