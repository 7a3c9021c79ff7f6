namespace LlmPipeline;

/// <summary>Which models callers may name: those of <see cref="GatewayOptions.Models"/>, or, without such a list, those that workers serve.</summary>
internal sealed class ModelAccess(PromptQueue queue, GatewayOptions options)
{
    /// <exception cref="ApiException">404 <c>model_not_found</c>: it is not on the list, or live workers exist and none serves it.</exception>
    public async Task CheckAsync(string model)
    {
        if (await IsRefusedAsync(model))
            throw ApiError.UnknownModel(model).Thrown();
    }

    /// <summary>Whether jobs of a model are refused. Without a list and without a live worker they wait for one.</summary>
    public async Task<bool> IsRefusedAsync(string model) =>
        options.Models.Count > 0 ? !options.Models.Contains(model) : await queue.Models.IsRefusedAsync(model);

    /// <summary>
    /// The models of the list; without one those that live workers name, and those with a queue that a worker serves or, without a live worker,
    /// may serve.
    /// </summary>
    public async Task<IReadOnlyList<string>> ListAsync()
    {
        if (options.Models.Count > 0)
            return [.. options.Models.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        var served = await queue.Models.ReadAsync();
        if (served?.Contains(FleetModels.Every) == false)
            return [.. served.Order(StringComparer.Ordinal)];
        var queues = (await queue.QueuesAsync()).Concat(await queue.RetiredQueuesAsync());
        return [.. queues.Concat(served ?? new HashSet<string>()).Where(model => model != FleetModels.Every).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
    }
}
