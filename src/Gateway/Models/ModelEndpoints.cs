using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary>
/// <c>/models</c>: the models that have a queue on this Redis. A model gets its queue with its first job, so that one which nobody has
/// called yet is not listed, and can be called all the same. <see href="https://platform.openai.com/docs/api-reference/models"/>.
/// </summary>
internal sealed class ModelEndpoints(PromptQueue queue)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/models", ListAsync);
        // A name such as org/model has several segments when a client does not encode it.
        routes.MapGet("/models/{**id}", GetAsync);
    }

    private async Task ListAsync(HttpContext context)
    {
        var models = new ModelList([.. (await queue.QueuesAsync()).Select(name => new ModelBody(name))]);
        await context.WriteJsonAsync(models, GatewayJson.Wire.ModelList);
    }

    private async Task GetAsync(HttpContext context)
    {
        var id = RequestShape.Segment(context, "id")!;
        if (!(await queue.QueuesAsync()).Contains(id))
            throw ApiError.UnknownModel(id).Thrown();
        await context.WriteJsonAsync(new ModelBody(id), GatewayJson.Wire.ModelBody);
    }
}
