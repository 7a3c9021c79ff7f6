using System.Text.Json;

namespace LlmPipeline;

/// <summary>The answer of a result as text.</summary>
public static class ResultText
{
    extension(JobResult result)
    {
        /// <summary>
        /// What the model answered, of several choices the first; a vector as JSON. Null where there is no completion: then
        /// <see cref="ResultMeta.Error"/> or <see cref="JobResult.Response"/> says why.
        /// </summary>
        public string? Text
        {
            get
            {
                if (result.Status != ResultStatus.Completed || LenientJson.ToDecodable(result.Response, out _) is not { } json)
                    return null;
                using var body = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = int.MaxValue });
                return CsvAnswerText.OfBody(body.RootElement);
            }
        }
    }
}
