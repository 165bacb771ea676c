"""The pages and what they load: files of ours, the same for everybody."""

from importlib.resources import files

from fastapi import APIRouter, Response

from latentopt.serve.problems import Problem

__all__ = ["page_router"]

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def page_router() -> APIRouter:
    """Routes of the pages."""
    router = APIRouter(include_in_schema=False)
    folder = files("latentopt") / "assets" / "serve"
    # By name from a list that is made here: no path of a request reaches the disk.
    pages = {one.name: one for one in folder.iterdir() if one.name.endswith(tuple(KINDS))}

    def answer(name: str) -> Response:
        if name not in pages:
            raise Problem(404, "there is no such page")
        suffix = name[name.rindex(".") :]
        return Response(pages[name].read_bytes(), media_type=f"{KINDS[suffix]}; charset=utf-8")

    @router.get("/")
    async def first_page() -> Response:
        return answer("index.html")

    @router.get("/pages/{name}")
    async def page(name: str) -> Response:
        return answer(name)

    return router
