using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary><c>/health</c>: the process lives. <c>/ready</c>: it can take calls, so Redis answers, the folder is there, and it is not being stopped.</summary>
internal sealed class HealthEndpoints(RedisConnections redis, FileFolder folder, CancellationToken stopping)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health", context => context.WriteJsonAsync(new StateBody("ok"), GatewayJson.Wire.StateBody));
        routes.MapGet("/ready", ReadyAsync);
    }

    private async Task ReadyAsync(HttpContext context)
    {
        var reason = stopping.IsCancellationRequested ? "stopping" : !folder.IsThere ? "the folder of the files is not there" : await RedisHealth.FaultAsync(redis);
        await context.WriteJsonAsync(new StateBody(reason is null ? "ok" : "unavailable", reason), GatewayJson.Wire.StateBody, reason is null ? 200 : 503);
    }
}
