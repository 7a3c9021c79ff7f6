namespace LlmPipeline;

/// <summary>Waits for what another process or thread will bring about: looks again and again, up to a deadline.</summary>
internal static class Eventually
{
    /// <summary>Waits until <paramref name="holds"/> answers true.</summary>
    /// <param name="holds">What to look at.</param>
    /// <param name="what">For the failure message.</param>
    /// <param name="patience">20 s when left out.</param>
    public static async Task HoldsAsync(Func<Task<bool>> holds, string what, TimeSpan? patience = null)
    {
        var limit = patience ?? TimeSpan.FromSeconds(20);
        var started = TimeProvider.System.GetTimestamp();
        while (!await holds())
        {
            if (TimeProvider.System.GetElapsedTime(started) > limit)
                Assert.Fail($"still not so after {limit.TotalSeconds:0.#} s: {what}");
            await Task.Delay(5);
        }
    }
}
