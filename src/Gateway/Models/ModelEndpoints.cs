using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace LlmPipeline;

/// <summary>
/// <c>/models</c>: the models that callers may name, as far as they are known: a worker may serve every model.
/// <see href="https://platform.openai.com/docs/api-reference/models"/>.
/// </summary>
internal sealed class ModelEndpoints(ModelAccess models)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/models", ListAsync);
        // A name such as org/model has several segments when a client does not encode it.
        routes.MapGet("/models/{**id}", GetAsync);
    }

    private async Task ListAsync(HttpContext context)
    {
        var list = new ModelList([.. (await models.ListAsync()).Select(name => new ModelBody(name))]);
        await context.WriteJsonAsync(list, GatewayJson.Wire.ModelList);
    }

    private async Task GetAsync(HttpContext context)
    {
        var id = RequestShape.Segment(context, "id")!;
        if (!(await models.ListAsync()).Contains(id, StringComparer.Ordinal))
            throw ApiError.UnknownModel(id).Thrown();
        await context.WriteJsonAsync(new ModelBody(id), GatewayJson.Wire.ModelBody);
    }
}
