namespace LlmPipeline;

/// <summary>The time that one call takes.</summary>
internal static class LatencyDraw
{
    /// <summary>The same draw and tokens give the same time; over many draws, its mean is latency + tokens × latency per token.</summary>
    public static TimeSpan Of(SimulatorOptions options, ulong draw, int tokens)
    {
        var mean = options.Latency + (options.LatencyPerToken * tokens);
        return mean == TimeSpan.Zero ? TimeSpan.Zero : mean * Factor(options.LatencyShape, options.LatencySigma, new DrawSequence(draw));
    }

    private static double Factor(LatencyShape shape, double sigma, DrawSequence draws)
    {
        switch (shape)
        {
            case LatencyShape.Uniform:
                return 0.5 + draws.NextDouble();
            case LatencyShape.Lognormal:
                // Box–Muller; 1 − u keeps the logarithm away from zero. The −σ²/2 makes the mean of the factor 1.
                var normal = Math.Sqrt(-2 * Math.Log(1 - draws.NextDouble())) * Math.Cos(2 * Math.PI * draws.NextDouble());
                return Math.Exp((sigma * normal) - (sigma * sigma / 2));
            default:
                return 1;
        }
    }
}
